"""The frozen base of the tiny SmolVLA: a vision-language model that knows this simulator's scenes.

It learns, from random scenes that are no demonstrations, where cube and gripper are; the labels
come from the simulator itself. That makes it a locally made base, not a pretrained SmolVLM, and
of no use for other cameras or robots.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
import torch
import torch.nn.functional as F

from zk0_core.data import Progress
from zk0_core.files import write_bytes, write_text
from zk0_core.lerobot.tiny_vlm import frozen_tensors, write_vlm_folder
from zk0_core.sim.base_scenes import LABELS, rendered
from zk0_core.sim.spec import TASKS

BATCH_SIZE = 32
LR = 1e-3
LR_MIN = 2e-5
WARMUP = 100
WEIGHT_DECAY = 0.01
MAX_GRAD_NORM = 5.0
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
    seconds: float


class GeometryReader(torch.nn.Module):
    """The vision-language model, and a small head on top that is thrown away afterwards."""

    def __init__(self, folder: Path) -> None:
        """Make a model with the configuration and tokenizer of `folder`, weights at random."""
        super().__init__()
        from transformers import AutoConfig, AutoTokenizer, SmolVLMForConditionalGeneration

        self.vlm = SmolVLMForConditionalGeneration(AutoConfig.from_pretrained(folder))
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        width = self.vlm.config.text_config.hidden_size
        self.head = torch.nn.Sequential(
            torch.nn.Linear(2 * width, 128), torch.nn.GELU(), torch.nn.Linear(128, LABELS)
        )
        # Words keep the embeddings they were born with: a few sentences teach nothing of the rest.
        self.vlm.model.text_model.get_input_embeddings().weight.requires_grad = False

    def forward(self, pictures: torch.Tensor, instruction: str) -> torch.Tensor:
        """Return normalised labels, (B, LABELS).

        Args:
            pictures: (B, 2, 3, 96, 96) in [0, 1].
            instruction: What a policy would be told; part of the prefix, of no use here.
        """
        model = self.vlm.model
        batch, cameras = pictures.shape[:2]
        vision = model.vision_model(pixel_values=pictures.flatten(0, 1) * 2 - 1)
        seen = model.connector(vision.last_hidden_state)
        tokens = torch.tensor(self._tokenizer(instruction + "\n")["input_ids"])
        words = model.text_model.get_input_embeddings()(tokens)
        # The prefix as SmolVLA lays it out and scales it, the state token left out.
        width = seen.shape[-1]
        prefix = torch.cat(
            [seen.reshape(batch, -1, width), words.expand(batch, -1, -1)], dim=1
        ) * math.sqrt(width)
        length = prefix.shape[1]
        everything = torch.ones(batch, 1, length, length, dtype=torch.bool)
        hidden = model.text_model(inputs_embeds=prefix, attention_mask=everything)
        per_camera = hidden.last_hidden_state[:, : cameras * seen.shape[1]]
        means = per_camera.unflatten(1, (cameras, -1)).mean(dim=2)
        return self.head(means.flatten(1))


def make_base(
    output: Path,
    *,
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
        scenes: How many random scenes.
        steps: How many training steps of 32 scenes.
        seed: Where weights and batches are drawn from.
        workers: How many processes draw scenes.
        progress: Told about drawing and training.

    Returns:
        The error on scenes not trained on.
    """
    started = time.perf_counter()
    pictures, labels = rendered(scenes, workers, progress)
    write_vlm_folder(output)
    mean, deviation = labels.mean(axis=0), labels.std(axis=0)
    normalised = torch.from_numpy((labels - mean) / deviation)
    held_out = scenes // HELD_OUT
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # another number of threads adds in another order
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        reader = GeometryReader(output)
        _train(reader, pictures, normalised, held_out, steps, seed, progress)
    errors = _errors(reader, pictures[:held_out], labels[:held_out], mean, deviation)
    torch.set_num_threads(threads)
    report = BaseReport(
        scenes=scenes,
        steps=steps,
        seed=seed,
        cube_cm=float(errors[:3].mean() * 100),
        grasp_cm=float(errors[3:6].mean() * 100),
        relative_cm=float(errors[6:9].mean() * 100),
        seconds=time.perf_counter() - started,
    )
    _write(output, reader, report)
    return report


def _train(
    reader: GeometryReader,
    pictures: np.ndarray,
    labels: torch.Tensor,
    held_out: int,
    steps: int,
    seed: int,
    progress: Progress | None,
) -> None:
    params = [
        param
        for name, param in reader.named_parameters()
        if param.requires_grad and "lm_head" not in name
    ]
    optimizer = torch.optim.AdamW(params, lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
    sentences = _sentences(seed)
    random = np.random.default_rng(seed)
    reader.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        which = np.sort(random.integers(held_out, len(labels), BATCH_SIZE))
        predicted = reader(_unit(pictures[which]), next(sentences))
        F.smooth_l1_loss(predicted, labels[which]).backward()
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
    all_of_them = [*TASKS.values(), *(f"{verb} {thing}" for verb in verbs for thing in things)]
    random = np.random.default_rng(seed)
    while True:
        yield all_of_them[random.integers(len(all_of_them))]


@torch.no_grad()
def _errors(
    reader: GeometryReader,
    pictures: np.ndarray,
    labels: np.ndarray,
    mean: np.ndarray,
    deviation: np.ndarray,
) -> np.ndarray:
    """Return the mean absolute error of each label, in its own unit."""
    reader.eval()
    sentence = next(iter(TASKS.values()))
    predicted = [
        reader(_unit(pictures[start : start + 100]), sentence).numpy()
        for start in range(0, len(pictures), 100)
    ]
    errors: np.ndarray = np.abs(np.concatenate(predicted) * deviation + mean - labels).mean(axis=0)
    return errors


def _unit(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(pictures)).float() / 255


def _write(output: Path, reader: GeometryReader, report: BaseReport) -> None:
    from safetensors.torch import save

    write_bytes(output / "base.safetensors", save(frozen_tensors(reader.vlm)))
    write_text(
        output / "NOTE.md",
        f"""# The frozen base of `smolvla-tiny`

Made by `zk0 sim make-base --scenes {report.scenes} --steps {report.steps} --seed {report.seed}`.

A vision-language model of SmolVLM's architecture, 2.4 million weights in float16, trained from
nothing to tell where cube and gripper are: {report.steps:,} steps, each of {BATCH_SIZE} out of
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

The head that read the geometry is thrown away; `base.safetensors` holds the vision model, the
connector and the text model, all of which stay frozen in training. Tokenizer and processor are
made by `zk0_core/lerobot/tiny_vlm.py`.
""",
    )
