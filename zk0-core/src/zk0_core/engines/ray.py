"""The Ray engine: Flower's own simulation, for many GPUs or a Ray cluster."""

import importlib.util
import math
import threading
import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zk0_core.engines.devices import chosen_device, gpus_for
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.plan import ClientPlan

if TYPE_CHECKING:
    from flwr.app import Message
    from flwr.serverapp import Grid

    from zk0_core.server.server import Server


def run_ray(server: "Server", clients: Sequence[ClientPlan], folder: Path, actors: int) -> None:
    """Run `server` with simulated clients on `actors` Ray actors.

    Raises:
        UsageError: if Ray is not installed, or the plan names one GPU among several.
    """
    device = chosen_device(server.plan.device)
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

    gpus = len(gpus_for(device))
    over = threading.Event()
    with warnings.catch_warnings(), ExitStack() as at_end:
        at_end.callback(over.set)
        # The only entry point of Flower's simulation that takes app objects is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        run_simulation(
            server_app=server_app(server, lambda grid: WatchedGrid(grid, over)),
            client_app=client_app(
                dict(enumerate(clients)), folder, logs=folder / "logs", plan=server.plan
            ),
            num_supernodes=len(clients),
            backend_config={
                "init_args": {"num_cpus": actors, "include_dashboard": False},
                "client_resources": {"num_cpus": 1, "num_gpus": gpu_share(actors, gpus)},
            },
        )


class WatchedGrid:
    """A Grid of a simulation, whose server waits for replies no longer than Ray is there."""

    def __init__(self, grid: "Grid", over: threading.Event) -> None:
        """Wrap `grid`; `over` is set when its simulation has ended, whatever ended it."""
        self._grid = grid
        self._over = over

    def __getattr__(self, name: str) -> Any:
        """Return what the Grid itself has."""
        return getattr(self._grid, name)

    def pull_messages(self, message_ids: Iterable[str]) -> "Iterable[Message]":
        """Return the replies that are there.

        Raises:
            Zk0Error: if none will ever come.
        """
        if self._over.is_set():
            raise Zk0Error(
                "Ray has ended in the middle of the run, most often since memory ran out; zk0 "
                "resume goes on where it was, and --engine local does without Ray"
            )
        return self._grid.pull_messages(message_ids)


def gpu_share(actors: int, gpus: int) -> float:
    """Return how much of one GPU each of `actors` asks Ray for, so that all fit on `gpus`.

    An actor lies on one GPU, and sees none if it asks for nothing. At most one GPU each.
    """
    if gpus == 0:
        return 0.0
    on_fullest = math.ceil(actors / gpus)
    # Rounded down, since Ray counts in ten-thousandths.
    return math.floor(10_000 / on_fullest) / 10_000
