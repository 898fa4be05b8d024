"""Train the arms of a comparison, several at once; what is finished is not trained again."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from zk0_core.compare.arms import Arm
from zk0_core.engines.devices import see_only, shared_gpus
from zk0_core.engines.orphans import end_with_parent
from zk0_core.errors import RoundError, UsageError, Zk0Error
from zk0_core.files import build_folder
from zk0_core.plan import RunPlan

Finished = Callable[[Arm, int, int], None]
"""Called as finished(arm, done, total), for arms that were finished before as well."""


def train_arms(
    arms: Sequence[Arm], folder: Path, jobs: int, finished: Finished | None = None
) -> None:
    """Train every arm whose run is not in `folder` yet.

    A run takes its place only when it is over, so that one that was interrupted is begun anew.

    Args:
        arms: What to train.
        folder: Where the runs are and go.
        jobs: How many are trained at once, each in a process with one worker; they share GPUs
            evenly.
        finished: Told of each arm that is there.

    Raises:
        UsageError: if `folder` holds an arm of another plan.
        RoundError: if arms failed, after all others were trained.
    """
    missing = [arm for arm in arms if not _is_there(arm, folder / arm.folder)]
    done = len(arms) - len(missing)
    if finished:
        for number, arm in enumerate([arm for arm in arms if arm not in missing]):
            finished(arm, number + 1, len(arms))
    failures: list[str] = []
    # One process an arm: what a run leaves in its process must not reach the next.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        jobs, context, initializer=end_with_parent, max_tasks_per_child=1
    ) as pool:
        # The longest first, so that none is left for the end.
        ordered = sorted(missing, key=lambda arm: -arm.steps)
        gpus = shared_gpus(arms[0].plan.device)  # of all arms the same
        running = {
            pool.submit(_train, arm.plan, folder / arm.folder, gpu): arm
            for arm, gpu in zip(ordered, gpus, strict=False)
        }
        for future in as_completed(running):
            arm = running[future]
            problem = future.exception()
            if problem is not None:
                failures.append(f"{arm.name}, seed {arm.seed}: {problem}")
                continue
            done += 1
            if finished:
                finished(arm, done, len(arms))
    if failures:
        raise RoundError(
            f"{len(failures)} of {len(arms)} runs failed, the others are kept; first "
            f"{failures[0]}; repeat the command to train what is missing"
        )


def _is_there(arm: Arm, folder: Path) -> bool:
    """Return whether the arm's run is finished.

    Raises:
        UsageError: if the run there is of another plan.
    """
    from zk0_core.runfile import plan_to_toml

    if not folder.is_dir():
        return False
    if (folder / "plan.toml").read_text(encoding="utf-8") != plan_to_toml(arm.plan):
        raise UsageError(
            f"{folder} holds a run of another plan; choose another folder with --output, "
            "or remove that one"
        )
    return True


def _train(plan: RunPlan, folder: Path, gpu: str | None) -> None:
    see_only(gpu)
    from zk0_core.run import run

    try:
        build_folder(folder, lambda part: run(plan, part))
    except Zk0Error as error:
        # Only the text is sure to survive the way to the parent.
        raise RoundError(str(error)) from None
