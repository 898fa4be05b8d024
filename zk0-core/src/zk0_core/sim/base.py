"""The frozen base of the tiny SmolVLA: a vision-language model that knows this simulator's scenes.

It learns, from random scenes that are no demonstrations, where cube and gripper are; the labels
come from the simulator itself. That makes it a locally made base, not a pretrained SmolVLM, and
of no use for other cameras or robots.
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
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
from zk0_core.sim.base_scenes import BaseScenes, rendered
from zk0_core.sim.base_targets import BaseTargets
from zk0_core.sim.setup import LIFT, Setup
from zk0_core.sim.tasks import TASKS

BATCH_SIZE = 32
LR = 1e-3
LR_MIN = 2e-5
WARMUP = 100
WEIGHT_DECAY = 0.01
MAX_GRAD_NORM = 5.0
HELD_OUT = 10
"""One scene in so many is kept for the error."""

_PICK_UP = TASKS["lift"].instruction("red")


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
    sentences = _sentences(seed) if setups == [LIFT] else None
    write_vlm_folder(output)
    targets = BaseTargets.of(drawn)
    held_out = scenes // HELD_OUT
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # another number of threads adds in another order
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        reader = GeometryReader(output, told=sentences is None)
        if began_with:
            load_base(reader.vlm, began_with)
        _train(reader, drawn, targets, held_out, steps, seed, sentences, progress)
    errors = targets.errors(_read(reader, drawn, held_out))
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
    if setups != [LIFT]:
        command += "".join(f" --task {task}" for task in tasks)
        command += f" --colour {colour}" if colour else ""
    command += f" --start {start}" if start else ""
    _write(output, reader, report, command, start)
    return report


def _train(
    reader: GeometryReader,
    drawn: BaseScenes,
    targets: BaseTargets,
    held_out: int,
    steps: int,
    seed: int,
    sentences: Iterator[str] | None,
    progress: Progress | None,
) -> None:
    """Train on all but the first `held_out` scenes; without `sentences` each is told its own."""
    params = [
        param
        for name, param in reader.named_parameters()
        if param.requires_grad and "lm_head" not in name
    ]
    optimizer = torch.optim.AdamW(params, lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
    random = np.random.default_rng(seed)
    reader.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        which = np.sort(random.integers(held_out, len(drawn.labels), BATCH_SIZE))
        told = [next(sentences)] * BATCH_SIZE if sentences else _told(drawn, which)
        loss = targets.loss(reader(_unit(drawn.pictures[which]), told), which)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()
        if progress and (step + 1) % 50 == 0:
            progress("training the base", step + 1, steps)


def learning_rate(step: int, steps: int) -> float:
    """Return the learning rate at `step` (from 0): a warm-up, and a cosine to `LR_MIN`."""
    cosine = (1 + math.cos(math.pi * step / steps)) / 2
    return min(1.0, (step + 1) / WARMUP) * (LR_MIN + (LR - LR_MIN) * cosine)


def _sentences(seed: int) -> Iterator[str]:
    """Yield instructions without end, so that no single one is expected behind the pictures."""
    verbs = ("Pick up", "Push", "Place", "Grasp", "Lift")
    things = ("the red cube", "the block", "the object", "the green cube")
    all_of_them = [_PICK_UP, *(f"{verb} {thing}" for verb in verbs for thing in things)]
    random = np.random.default_rng(seed)
    while True:
        yield all_of_them[random.integers(len(all_of_them))]


def _told(drawn: BaseScenes, which: Iterable[int]) -> list[str]:
    return [drawn.instructions[scene] for scene in which]


@torch.no_grad()
def _read(reader: GeometryReader, drawn: BaseScenes, held_out: int) -> torch.Tensor:
    """Return what the last head reads of the held-out scenes, (held_out, LABELS), normalised."""
    reader.eval()
    read = []
    for start in range(0, held_out, 100):
        which = range(start, min(start + 100, held_out))
        pictures = _unit(drawn.pictures[start : which.stop])
        read.append(reader(pictures, _told(drawn, which)).labels[-1])
    return torch.cat(read)


def _by_task(errors: np.ndarray, tasks: Sequence[str]) -> dict[str, float]:
    """Return the mean of `errors`, (scenes, …), by task; scenes are of each task in turn."""
    of = np.resize(np.array(tasks), len(errors))
    return {task: float(errors[of == task].mean()) for task in dict.fromkeys(tasks)}


def _unit(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(pictures)).float() / 255


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
