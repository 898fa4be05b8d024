"""The frozen base of the tiny SmolVLA: a vision-language model that knows this simulator's scenes.

It learns, from random scenes that are no demonstrations, where cube and gripper are; the labels
come from the simulator itself. That makes it a locally made base, not a pretrained SmolVLM, and
of no use for other cameras or robots.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
import torch

from zk0_core.data import Progress
from zk0_core.files import write_bytes, write_text
from zk0_core.lerobot.tiny_vlm import (
    base_folder,
    frozen_tensors,
    load_base,
    write_vlm_folder,
)
from zk0_core.sim.base_reader import GeometryReader
from zk0_core.sim.base_scenes import rendered
from zk0_core.sim.base_targets import BaseTargets
from zk0_core.sim.base_training import BATCH_SIZE, BaseTraining
from zk0_core.sim.setup import LIFT, Setup

HELD_OUT = 10
"""One scene in so many is kept for the error."""


@attrs.frozen
class BaseReport:
    """How well the base tells geometry, as mean absolute errors in cm on scenes not trained on."""

    scenes: int
    steps: int
    seed: int
    cube_cm: float
    grasp_cm: float
    relative_cm: float
    """The cube as seen from the gripper."""
    cube_cm_in: dict[str, float]
    """The same as `cube_cm`, by the task that a scene is of."""
    seconds: float


def make_base(
    output: Path,
    *,
    tasks: Sequence[str] = ("lift",),
    colour: str | None = None,
    start: str | None = None,
    scenes: int = 6_000,
    steps: int = 1_000,
    seed: int = 0,
    workers: int = 2,
    progress: Progress | None = None,
) -> BaseReport:
    """Draw scenes, train the base on them and write it to `output`.

    Steps rather than minutes limit the training, so that the same call gives the same base.

    Args:
        output: Folder for tokenizer, configuration, `base.safetensors` and `NOTE.md`.
        tasks: Whose scenes it sees, in turn: those of some have a bin, a line, a second cube.
        colour: Of the named cube, or `any`; None is the usual one of each task.
        start: The base to go on from, by name or folder; None for weights at random.
        scenes: How many random scenes.
        steps: How many training steps of 32 scenes.
        seed: Where weights and batches are drawn from.
        workers: How many processes draw scenes.
        progress: Told about drawing and training.

    Returns:
        The error on scenes not trained on.

    Raises:
        DataError: if there is no such task or colour.
        UsageError: if there is no base to start from.
    """
    began_with = base_folder(start, "--start") if start else None
    started = time.perf_counter()
    setups = [Setup(task=task) for task in tasks]
    if colour is not None:
        setups = [attrs.evolve(setup, colour=colour) for setup in setups]
    drawn = rendered(scenes, workers, progress, setups)
    # Where only the red cube is ever seen, no words are needed to tell of it.
    told = setups != [LIFT]
    write_vlm_folder(output)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # another number of threads adds in another order
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        reader = GeometryReader(output, told=told)
        if began_with:
            load_base(reader.vlm, began_with)
        training = BaseTraining(
            reader, drawn, BaseTargets.of(drawn), held_out=scenes // HELD_OUT, told=told
        )
        training.train(steps, seed, progress)
    errors = training.errors()
    torch.set_num_threads(threads)
    report = BaseReport(
        scenes=scenes,
        steps=steps,
        seed=seed,
        cube_cm=float(errors[:, :3].mean() * 100),
        grasp_cm=float(errors[:, 3:6].mean() * 100),
        relative_cm=float(errors[:, 6:9].mean() * 100),
        cube_cm_in=_by_task(errors[:, :3] * 100, tasks),
        seconds=time.perf_counter() - started,
    )
    command = f"zk0 sim make-base --scenes {scenes} --steps {steps} --seed {seed}"
    if told:
        command += "".join(f" --task {task}" for task in tasks)
        command += f" --colour {colour}" if colour else ""
    command += f" --start {start}" if start else ""
    _write(output, reader, report, command, start)
    return report


def _by_task(errors: np.ndarray, tasks: Sequence[str]) -> dict[str, float]:
    """Return the mean of `errors`, (scenes, …), by task; scenes are of each task in turn."""
    of = np.resize(np.array(tasks), len(errors))
    return {task: float(errors[of == task].mean()) for task in dict.fromkeys(tasks)}


def _write(
    output: Path, reader: GeometryReader, report: BaseReport, command: str, start: str | None
) -> None:
    from safetensors.torch import save

    write_bytes(output / "base.safetensors", save(frozen_tensors(reader.vlm)))
    by_task = "".join(
        f"| cube, in scenes of {task} | {cm:.2f} |\n" for task, cm in report.cube_cm_in.items()
    )
    origin = f"on from the base `{start}`" if start else "from nothing"
    write_text(
        output / "NOTE.md",
        f"""# The frozen base of `smolvla-tiny`

Made by `{command}`.

A vision-language model of SmolVLM's architecture, 2.4 million weights in float16, trained
{origin} to tell where cube and gripper are: {report.steps:,} steps, each of {BATCH_SIZE} out of
{report.scenes:,} random scenes of zk0's simulated arm; {report.seconds / 60:.0f} minutes in
all, drawing included. The labels come from the simulator. No demonstration and no scene that is
evaluated on was among them. It is no pretrained SmolVLM, and of no use with other cameras or
robots. Its words keep the embeddings they were born with.

Mean absolute error on {report.scenes // HELD_OUT:,} scenes that were kept out of the training:

| | cm |
|---|---|
| cube | {report.cube_cm:.2f} |
| grasp point | {report.grasp_cm:.2f} |
| cube from the gripper | {report.relative_cm:.2f} |
{by_task if len(report.cube_cm_in) > 1 else ""}
The head that read the geometry is thrown away; `base.safetensors` holds the vision model, the
connector and the text model, all of which stay frozen in training. Tokenizer and processor are
made by `zk0_core/lerobot/tiny_vlm.py`.
""",
    )
