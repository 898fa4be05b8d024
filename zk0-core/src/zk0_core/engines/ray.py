"""The Ray engine: Flower's own simulation, for many GPUs or a Ray cluster."""

import importlib.util
import math
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
        UsageError: if Ray is not installed, or the plan names one GPU among several.
    """
    device = server.plan.device
    if importlib.util.find_spec("ray") is None:
        raise UsageError(
            "engine 'ray' needs Ray, which is not installed: pip install 'zk0[ray]', "
            "or choose --engine local"
        )
    if device.startswith("cuda:"):
        raise UsageError(
            f"device '{device}' cannot be chosen with engine 'ray', which hands out GPUs itself; "
            'write device = "cuda", or choose --engine local'
        )
    from flwr.simulation import run_simulation

    from zk0_core.engines.apps import client_app, server_app

    gpus = _gpus() if device == "cuda" else 0
    with warnings.catch_warnings():
        # The only entry point of Flower's simulation that takes app objects is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        run_simulation(
            server_app=server_app(server),
            client_app=client_app(dict(enumerate(clients)), folder, logs=folder / "logs"),
            num_supernodes=len(clients),
            backend_config={
                "init_args": {"num_cpus": actors, "include_dashboard": False},
                "client_resources": {"num_cpus": 1, "num_gpus": gpu_share(actors, gpus)},
            },
        )


def gpu_share(actors: int, gpus: int) -> float:
    """Return how much of one GPU each of `actors` asks Ray for, so that all fit on `gpus`.

    An actor lies on one GPU, and sees none if it asks for nothing. At most one GPU each.
    """
    if gpus == 0:
        return 0.0
    on_fullest = math.ceil(actors / gpus)
    # Rounded down, since Ray counts in ten-thousandths.
    return math.floor(10_000 / on_fullest) / 10_000


def _gpus() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
