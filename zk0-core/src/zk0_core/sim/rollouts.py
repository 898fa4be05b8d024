"""Closed-loop rollouts: a batch of simulated arms that one policy drives in lockstep."""

from pathlib import Path

import attrs
import numpy as np
import torch

from zk0_core.fixed_loss import fixed_loss
from zk0_core.protocols import Policy
from zk0_core.seeds import derive_seed
from zk0_core.server.model import ModelRef, load_model
from zk0_core.sim.arm import CAMERAS, FPS, SimulatedArm
from zk0_core.sim.film import Film
from zk0_core.sim.shown import shown
from zk0_core.sim.spec import EVALUATION_STARTS, SimSpec, region_of

BATCH = 10
"""Arms in lockstep. Fixed, so that results do not depend on how many workers there are."""


@attrs.frozen
class RolloutBatch:
    """Starts to roll out together."""

    model: ModelRef
    spec: SimSpec
    """Task, region and set-up; how many episodes a recording of it would have does not matter."""
    starts: tuple[int, ...]
    filmed: tuple[int, ...]
    """Those of the starts that are filmed."""
    folder: Path
    """Where films go."""


@attrs.frozen
class Rollout:
    """How one rollout went."""

    start: int
    region: str
    """The strip of the table where the named cube lay."""
    success: bool
    seconds: float
    smoothness: float
    """Mean squared jerk of the joints, in (degrees per step cubed) squared."""
    instruction: str
    """What the policy was told."""


def split_starts(count: int) -> list[tuple[int, ...]]:
    """Return the starts 0 … count − 1 in batches."""
    return [tuple(range(first, min(first + BATCH, count))) for first in range(0, count, BATCH)]


def roll_out(batch: RolloutBatch) -> list[Rollout]:
    """Roll out every start of `batch`; the policy looks once per chunk of actions."""
    policy = load_model(batch.model)
    arms = [SimulatedArm(batch.spec.setup) for _ in batch.starts]
    for arm, start in zip(arms, batch.starts, strict=True):
        arm.reset(EVALUATION_STARTS[start], batch.spec.region)
    regions = [region_of((float(arm.cube[0]), float(arm.cube[1]))) for arm in arms]
    films = {start: Film(batch.folder / f"start_{start}.mp4") for start in batch.filmed}
    paths: list[list[np.ndarray]] = [[arm.joints()] for arm in arms]
    device = batch.model.recipe.device
    noise = torch.Generator(device).manual_seed(derive_seed(0, "rollouts", round=batch.starts[0]))

    while moving := [index for index, arm in enumerate(arms) if not arm.finished]:
        actions = _look_and_act(policy, [arms[index] for index in moving], noise)
        for index, chunk in zip(moving, actions, strict=True):
            film = films.get(batch.starts[index])
            if film is not None:
                film.plan(arms[index], chunk)
            for action in chunk:
                if arms[index].finished:
                    break
                arms[index].step(action)
                paths[index].append(arms[index].joints())
                if film is not None:
                    film.take(arms[index], action)

    rollouts = [
        Rollout(start, region, arm.success, arm.steps / FPS, _jerk(np.stack(path)), arm.instruction)
        for start, region, arm, path in zip(batch.starts, regions, arms, paths, strict=True)
    ]
    for rollout in rollouts:
        if rollout.start in films:
            loss = _loss_from(policy, batch, rollout.start)
            facts = {**attrs.asdict(rollout), "policy_loss": loss}
            films[rollout.start].finish(rollout.success, facts)
    return rollouts


def _loss_from(policy: Policy, batch: RolloutBatch, start: int) -> float | None:
    """Return the policy's loss on what the expert does from `start`; None where it fails."""
    way = shown(batch.spec.setup, batch.spec.region, EVALUATION_STARTS[start])
    if way is None:
        return None
    return fixed_loss(policy, policy.source(way, [0]), batch.model.recipe.device)


def _look_and_act(policy: Policy, arms: list[SimulatedArm], noise: torch.Generator) -> np.ndarray:
    """Return the next actions of every arm, (arms, steps, 6)."""
    pictures = {
        f"observation.images.{camera}": np.stack([arm.picture(camera) for arm in arms])
        for camera in CAMERAS
    }
    state = np.stack([arm.joints() for arm in arms])
    instructions = [arm.instruction for arm in arms]
    with torch.inference_mode():
        actions: np.ndarray = policy.act(pictures, state, instructions, noise)
    return actions


def _jerk(path: np.ndarray) -> float:
    """Return the mean squared third difference of a path of joints, (steps, 6)."""
    if len(path) < 4:
        return 0.0
    return float(np.square(np.diff(path, n=3, axis=0)).mean())
