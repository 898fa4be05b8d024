"""The Ray engine: Flower's own simulation, for many GPUs or a Ray cluster."""

import importlib.util
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zk0_core.errors import UsageError
from zk0_core.plan import ClientPlan

if TYPE_CHECKING:
    from zk0_core.server.server import Server


def run_ray(server: "Server", clients: Sequence[ClientPlan], folder: Path, actors: int) -> None:
    """Run `server` with simulated clients on `actors` Ray actors.

    Raises:
        UsageError: if Ray is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise UsageError(
            "engine 'ray' needs Ray, which is not installed: pip install 'zk0[ray]', "
            "or choose --engine local"
        )
    from flwr.simulation import run_simulation

    from zk0_core.engines.apps import client_app, server_app

    with warnings.catch_warnings():
        # The only entry point of Flower's simulation that takes app objects is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        run_simulation(
            server_app=server_app(server),
            client_app=client_app(clients, folder),
            num_supernodes=len(clients),
            backend_config={
                "init_args": {"num_cpus": actors, "include_dashboard": False},
                "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
            },
        )
