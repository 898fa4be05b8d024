"""The ServerApp of a federation over a network: a run that was submitted, over Flower's Grid."""

import shutil
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from loguru import logger

from zk0_core.errors import UsageError, Zk0Error
from zk0_core.plan import ClientPlan, RunPlan

if TYPE_CHECKING:
    from flwr.serverapp import Grid

    from zk0_core.federation.records import RunEntry
    from zk0_core.server.checkpoint import Checkpoint
    from zk0_core.server.output import RunFolder
    from zk0_core.tensors import Tensors

POLL_SECONDS, SLOWEST_SECONDS = 0.25, 2.0
"""Between two looks for replies, at first and at most: each look is a request to the SuperLink."""
EMPTY_SECONDS = 600.0
"""How long a run waits for a node when all have left."""
LOCK_SECONDS = 60.0


def carry_out(grid: "Grid", run: str, federation: Path) -> None:
    """Carry out `run` of the server in the folder `federation`, or go on with it.

    How it ended is written beside the run. A run that ends without a word has crashed, and the
    server starts it again from its last checkpoint.
    """
    from zk0_core.federation.folder import ServerFolder
    from zk0_core.federation.runs import Runs

    runs = Runs(ServerFolder(federation))
    try:
        _carry_out(grid, runs.find(run), runs.plan(run))
    except Zk0Error as problem:
        logger.error("{}", problem)
        runs.tell_outcome(run, str(problem))
        raise
    runs.tell_outcome(run, "")


def _carry_out(grid: "Grid", entry: "RunEntry", plan: RunPlan) -> None:
    from zk0_core.engines._flower_inflation import inflate_with_care
    from zk0_core.engines._flower_network import names_of_nodes
    from zk0_core.engines.devices import chosen_device
    from zk0_core.engines.workers import Workers, default_count
    from zk0_core.logs import log_server
    from zk0_core.parts import following
    from zk0_core.run import check_disk, prepare_datasets
    from zk0_core.server.exchange import Exchange, Patience
    from zk0_core.server.server import Server

    inflate_with_care()
    folder = Path(entry.folder)
    check_disk(folder)
    # The nodes that are there take the place of a simulation's clients.
    names = sorted(names_of_nodes(grid).values())
    plan = attrs.evolve(plan, clients=tuple(ClientPlan(name, f"node:{name}") for name in names))
    output, checkpoint = _open(folder, plan)
    log_server(folder / "logs")
    if checkpoint is not None:
        logger.info("goes on after round {}", checkpoint.round)
    patience = Patience(
        poll=POLL_SECONDS,
        slowest=SLOWEST_SECONDS,
        connect=EMPTY_SECONDS,
        round=entry.round_seconds or None,
        without=True,
        least=max(1, entry.min_clients),
    )
    with ExitStack() as stack:
        _lock(output, stack)
        stack.enter_context(following(plan))
        shutil.rmtree(folder / "spool", ignore_errors=True)
        device = chosen_device(plan.device)
        prepare_datasets(attrs.evolve(plan, clients=()), plan.workers or default_count(), None)
        count = plan.workers or default_count(device)
        workers = Workers(count, plan.threads, logs=folder / "logs", device=device, plan=plan)
        exchange = partial(Exchange, patience=patience, approved=names_of_nodes)
        try:
            begin_with = _last_model(Path(entry.start_from), folder) if entry.start_from else None
            Server(plan, output, workers, checkpoint, exchange, begin_with).run(grid)
        finally:
            workers.close()
            shutil.rmtree(folder / "spool", ignore_errors=True)


def _lock(output: "RunFolder", stack: ExitStack) -> None:
    """Lock the run's folder until `stack` is left; who had it before may still be ending."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            stack.enter_context(output.locked())
            return
        except UsageError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _open(folder: Path, plan: RunPlan) -> "tuple[RunFolder, Checkpoint | None]":
    """Return the run's output folder and where to go on; None for the start."""
    from zk0_core.server.output import PLAN, RunFolder

    if (folder / PLAN).is_file():
        output = RunFolder.reopen(folder)
        return output, output.checkpoints.last()
    output = RunFolder.create(folder)
    output.write_plan(plan)
    return output, None


def _last_model(earlier: Path, folder: Path) -> "Tensors | None":
    """Return the parameters that the run in `earlier` ended with; its statistics hold as well."""
    from zk0_core.files import whole_folder
    from zk0_core.server.checkpoint import Checkpoints

    if (earlier / "start").is_dir() and not (folder / "start").exists():
        with whole_folder(folder / "start") as part:
            shutil.copytree(earlier / "start", part, dirs_exist_ok=True)
    last = Checkpoints(earlier / "checkpoints").last()
    if last is None:
        logger.warning("{} finished no round: the policy's own weights are the start", earlier)
        return None
    return last.params
