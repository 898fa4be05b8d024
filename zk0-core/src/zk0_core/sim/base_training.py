"""How the base of the tiny SmolVLA is trained to read the simulator's scenes."""

import math
from collections.abc import Iterable, Iterator

import attrs
import numpy as np
import torch

from zk0_core.data import Progress
from zk0_core.sim.base_reader import GeometryReader
from zk0_core.sim.base_scenes import BaseScenes
from zk0_core.sim.base_targets import BaseTargets
from zk0_core.sim.tasks import TASKS

BATCH_SIZE = 32
LR = 1e-3
LR_MIN = 2e-5
WARMUP = 100
WEIGHT_DECAY = 0.01
MAX_GRAD_NORM = 5.0

_PICK_UP = TASKS["lift"].instruction("red")


@attrs.frozen(eq=False)
class BaseTraining:
    """Scenes, and the reader that learns from all but the first `held_out` of them."""

    reader: GeometryReader
    drawn: BaseScenes
    targets: BaseTargets
    held_out: int
    told: bool
    """Whether it is told what each scene's robot would be told; else one of many sentences."""

    def train(self, steps: int, seed: int, progress: Progress | None) -> None:
        """Take `steps` steps; batches and sentences are drawn from `seed`."""
        params = [
            param
            for name, param in self.reader.named_parameters()
            if param.requires_grad and "lm_head" not in name
        ]
        optimizer = torch.optim.AdamW(params, lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
        random = np.random.default_rng(seed)
        varied = varied_instructions(seed)
        self.reader.train()
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps)
            scenes = len(self.drawn.labels)
            which = np.sort(random.integers(self.held_out, scenes, BATCH_SIZE))
            told = self._told(which) if self.told else [next(varied)] * BATCH_SIZE
            read = self.reader(_unit(self.drawn.pictures[which]), told)
            self.targets.loss(read, which).backward()
            torch.nn.utils.clip_grad_norm_(params, MAX_GRAD_NORM)
            optimizer.step()
            optimizer.zero_grad()
            if progress and (step + 1) % 50 == 0:
                progress("training the base", step + 1, steps)

    @torch.no_grad()
    def errors(self) -> np.ndarray:
        """Return how far it is off on the scenes kept out, (held_out, LABELS), in their units."""
        self.reader.eval()
        read = []
        for start in range(0, self.held_out, 100):
            which = range(start, min(start + 100, self.held_out))
            pictures = _unit(self.drawn.pictures[start : which.stop])
            read.append(self.reader(pictures, self._told(which)).labels[-1])
        return self.targets.errors(torch.cat(read))

    def _told(self, which: Iterable[int]) -> list[str]:
        return [self.drawn.instructions[scene] for scene in which]


def learning_rate(step: int, steps: int) -> float:
    """Return the learning rate at `step` (from 0): a warm-up, and a cosine to `LR_MIN`."""
    cosine = (1 + math.cos(math.pi * step / steps)) / 2
    return min(1.0, (step + 1) / WARMUP) * (LR_MIN + (LR - LR_MIN) * cosine)


def varied_instructions(seed: int) -> Iterator[str]:
    """Yield instructions without end, so that no single one is expected behind the pictures."""
    verbs = ("Pick up", "Push", "Place", "Grasp", "Lift")
    things = ("the red cube", "the block", "the object", "the green cube")
    all_of_them = [_PICK_UP, *(f"{verb} {thing}" for verb in verbs for thing in things)]
    random = np.random.default_rng(seed)
    while True:
        yield all_of_them[random.integers(len(all_of_them))]


def _unit(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(pictures)).float() / 255
