"""One federated run, from a plan to its output folder."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from zk0_core.data import Progress
from zk0_core.disk import free_bytes, stopping_when_full
from zk0_core.errors import UsageError
from zk0_core.history import History
from zk0_core.parts import following, loader_for, reads_episodes
from zk0_core.plan import RunPlan

if TYPE_CHECKING:
    from zk0_core.server.budget import RoundBudget
    from zk0_core.server.checkpoint import Checkpoint
    from zk0_core.server.output import RunFolder

DISK_NEEDED = 512 * 2**20
"""Bytes that must be free before a run: recordings, caches and output of the embedded default."""


@attrs.frozen
class RunResult:
    """What a run left."""

    history: History
    folder: Path
    budget: "RoundBudget"
    """Bytes of a round, as known before the first one."""


def run(plan: RunPlan, folder: Path, progress: Progress | None = None) -> RunResult:
    """Run `plan` and write its output to `folder`.

    Raises:
        Zk0Error: if the plan cannot be carried out; the text says why.
    """
    from zk0_core.server.output import RunFolder

    check_disk(folder)
    output = RunFolder.create(folder)
    with output.locked(), following(plan):
        output.write_plan(plan)
        return _carry_out(plan, output, None, progress)


def resume(folder: Path, progress: Progress | None = None) -> RunResult:
    """Go on with the run in `folder` from its last checkpoint; the result is as if it never ended.

    Raises:
        UsageError: if there is no run in `folder`, it is finished, or under way.
        Zk0Error: if the plan cannot be carried out; the text says why.
    """
    from zk0_core.server.output import RunFolder

    output = RunFolder.reopen(folder)
    check_disk(folder)
    with output.locked():
        plan = output.read_plan()
        with following(plan):
            return _carry_out(plan, output, output.checkpoints.last(), progress)


def _carry_out(
    plan: RunPlan, output: "RunFolder", checkpoint: "Checkpoint | None", progress: Progress | None
) -> RunResult:
    from zk0_core.engines.quiet import quiet_flower

    quiet_flower()
    from loguru import logger

    from zk0_core.engines.devices import chosen_device
    from zk0_core.engines.local import run_local
    from zk0_core.engines.workers import Workers, default_count, stopping_when_lost
    from zk0_core.logs import log_server
    from zk0_core.server.server import Server

    folder = output.path
    log_server(folder / "logs")
    device = chosen_device(plan.device)
    count = plan.workers or default_count(device)
    logger.info("policies train on {}, {} at once", device, count)
    prepare_datasets(plan, plan.workers or default_count(), progress)
    # Left by a run that was killed, it would be in the way.
    shutil.rmtree(folder / "spool", ignore_errors=True)
    workers = Workers(count, plan.threads, logs=folder / "logs", device=device, plan=plan)
    try:
        with stopping_when_full(folder), stopping_when_lost(folder):
            server = Server(plan, output, workers, checkpoint)
            if plan.engine == "ray":
                from zk0_core.engines.ray import run_ray

                run_ray(server, plan.clients, folder, actors=count)
            else:
                run_local(server, plan.clients, folder)
    finally:
        workers.close()
        shutil.rmtree(folder / "spool", ignore_errors=True)
    return RunResult(server.history, folder, server.budget)


def prepare_datasets(plan: RunPlan, workers: int, progress: Progress | None) -> None:
    """Let each loader make ready its datasets, all at once: simulated ones are recorded here."""
    from zk0_core.addresses import Address, split_joined

    datasets = [client.dataset for client in plan.clients]
    for evaluation in plan.evaluations:
        if reads_episodes(evaluation.evaluator):
            datasets.append(evaluation.dataset)
    by_scheme: dict[str, list[str]] = {}
    for uri in (part for dataset in datasets for part in split_joined(dataset)):
        by_scheme.setdefault(Address.parse(uri).scheme, []).append(uri)
    for group in by_scheme.values():
        loader_for(group[0]).prepare(sorted(set(group)), workers, progress)


def check_disk(folder: Path) -> None:
    """Raise UsageError unless there is room for a run's output and caches."""
    from zk0_core.cache import cache_folder

    for what, path in (("output", folder), ("cache", cache_folder())):
        if (free := free_bytes(path)) < DISK_NEEDED:
            choice = "--output" if what == "output" else "ZK0_CACHE"
            raise UsageError(
                f"too little disk for the {what} folder {path}: {free / 2**20:.0f} MB free, "
                f"{DISK_NEEDED / 2**20:.0f} MB needed; free some, or choose another with {choice}"
            )
