"""A recorded episode, replayed: what the policy would have done at each frame."""

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
import torch

from zk0_core.cache import cache_folder
from zk0_core.data import Episode, RobotDataset, Statistics, evaluation_episodes
from zk0_core.datacheck.ranges import FULL_TURN_RAD, arm_joints, arm_reach
from zk0_core.disk import reserve
from zk0_core.errors import DataError
from zk0_core.files import build_folder, write_json
from zk0_core.fixed_loss import fixed_loss
from zk0_core.lerobot.frames import every_picture
from zk0_core.logs import ShownProgress
from zk0_core.parts import open_dataset
from zk0_core.protocols import Policy
from zk0_core.seeds import derive_seed
from zk0_core.server.model import ModelRef, load_model
from zk0_core.video.strips import strips
from zk0_core.video.writing import side_by_side, write_video

LOOKS = 16
"""Frames that the policy looks at in one batch. Fixed, so that results depend on nothing else."""
HEIGHT = 240
"""Pixels of a camera's picture in a video."""
PERCENT = 100.0


@attrs.frozen
class ReplayJob:
    """One episode to replay."""

    model: ModelRef
    uri: str
    rename: Mapping[str, str]
    episode: int
    """Its index in the dataset."""
    video: Path | None
    """Where its video goes; None for none."""


@attrs.frozen
class Replayed:
    """How far the policy was from one recorded episode."""

    errors: dict[str, float]
    """Joint to its mean absolute error."""
    units: dict[str, str]
    """Joint to what its error is in."""
    frames: int


def held_out(uri: str, rename: Mapping[str, str]) -> list[int]:
    """Return the indices of the held-out episodes of the dataset at `uri`.

    Raises:
        DataError: if it has none.
    """
    episodes = [entry.index for entry in evaluation_episodes(open_dataset(uri, rename))]
    if not episodes:
        raise DataError(
            f"evaluation dataset {uri} holds out no episode to replay; add eval_episodes=5 to it"
        )
    return episodes


def replay(job: ReplayJob) -> Replayed:
    """Replay one episode, and film it where that is asked for."""
    policy = load_model(job.model)
    dataset = _opened(job.uri, tuple(sorted(job.rename.items())))
    policy.check(dataset.schema, f"evaluation dataset {job.uri}")
    episode = next(entry for entry in dataset.episodes if entry.index == job.episode)
    noise = torch.Generator(job.model.recipe.device).manual_seed(
        derive_seed(0, "replay", round=job.episode)
    )
    predicted = predictions(policy, dataset, episode, noise)
    recorded = dataset.action[episode.start : episode.stop]
    joints = dataset.schema.action
    # In float64, since sums over long episodes lose figures else.
    errors = np.abs(predicted.astype(np.float64) - recorded).mean(axis=0)
    done = Replayed(
        errors=dict(zip(joints, errors.tolist(), strict=True)),
        units=units_of(joints, job.model.statistics),
        frames=len(recorded),
    )
    if job.video is not None:
        write_video(job.video, _pictures(dataset, episode, predicted), dataset.schema.fps)
        source = policy.source(dataset, [episode.index])
        loss = fixed_loss(policy, source, job.model.recipe.device)
        facts = {**_facts(dataset, episode, done), "policy_loss": loss}
        write_json(job.video.with_suffix(".json"), facts)
    return done


def predictions(
    policy: Policy, dataset: RobotDataset, episode: Episode, noise: torch.Generator
) -> np.ndarray:
    """Return what the policy would have done at each frame of `episode`, (frames, A) float32."""
    length = episode.stop - episode.start
    first = _look(policy, dataset, episode, [0], noise)
    every = first.shape[1]
    chunks = [first]
    rest = list(range(every, length, every))
    for place in range(0, len(rest), LOOKS):
        chunks.append(_look(policy, dataset, episode, rest[place : place + LOOKS], noise))
    predicted: np.ndarray = np.concatenate(chunks).reshape(-1, first.shape[2])[:length]
    return predicted


def _look(
    policy: Policy,
    dataset: RobotDataset,
    episode: Episode,
    places: Sequence[int],
    noise: torch.Generator,
) -> np.ndarray:
    """Return the chunks of actions, (looks, T, A), that follow frames of `episode`."""
    pictures = {
        camera: held_out_pictures(dataset, camera)[episode.index][list(places)]
        for camera in dataset.schema.cameras
    }
    state = dataset.state[[episode.start + place for place in places]]
    with torch.inference_mode():
        chunks: np.ndarray = policy.act(pictures, state, [episode.task] * len(places), noise)
    return chunks


@functools.lru_cache(maxsize=2)
def _opened(uri: str, rename: tuple[tuple[str, str], ...]) -> RobotDataset:
    return open_dataset(uri, dict(rename))


def held_out_pictures(dataset: RobotDataset, camera: str) -> dict[int, np.ndarray]:
    """Return the pictures of held-out episodes, decoded at the first call and on disk after.

    Returns:
        Episode index to (frames, height, width, 3) uint8, read-only.

    Raises:
        OSError: if the disk is full.
    """
    episodes = evaluation_episodes(dataset)
    # The fingerprint is that of all recordings, whichever of them the address chooses.
    places = [(episode.index, episode.start, episode.stop) for episode in episodes]
    name = f"{dataset.fingerprint}\x1f{camera}\x1f{places}"
    folder = cache_folder("replay", hashlib.sha256(name.encode()).hexdigest()[:24])
    build_folder(folder, lambda part: _decode(part, dataset, camera))
    return {
        episode.index: np.load(folder / f"{episode.index}.npy", mmap_mode="r")
        for episode in episodes
    }


def _decode(folder: Path, dataset: RobotDataset, camera: str) -> None:
    """Write the pictures of each held-out episode to a file; none else is kept."""
    shape = dataset.schema.cameras[camera]
    places: dict[int, tuple[np.memmap, int]] = {}
    for episode in evaluation_episodes(dataset):
        file = folder / f"{episode.index}.npy"
        array = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]  # NumPy has none
            file,
            mode="w+",
            dtype=np.uint8,
            shape=(episode.stop - episode.start, *shape),
        )
        reserve(file, f"pictures of a held-out episode of {dataset.uri}")
        for frame in range(episode.start, episode.stop):
            places[frame] = array, frame - episode.start
    missing, needed, progress = len(places), max(places) + 1, ShownProgress()
    for frame, picture in enumerate(every_picture(dataset, camera)):
        progress(f"decoding {camera} of {dataset.uri}", frame + 1, needed)
        if frame in places:
            array, place = places[frame]
            array[place] = picture
            missing -= 1
            if not missing:
                return
    raise DataError(
        f"{dataset.uri}: {camera} lacks pictures of {missing} held-out frames; record or download "
        "the videos again"
    )


def units_of(joints: Sequence[str], statistics: Statistics) -> dict[str, str]:
    """Return what the values of each joint are in, as far as names and ranges tell.

    LeRobot records arms in degrees, or in percent of a joint's range, and grippers in percent.
    """
    reach = arm_reach(tuple(joints), statistics)
    turning = "degrees" if reach > PERCENT else "degrees or percent"
    if reach <= FULL_TURN_RAD:
        turning = "radians"
    arm = set(arm_joints(tuple(joints)))
    return {name: turning if place in arm else "percent" for place, name in enumerate(joints)}


def _pictures(
    dataset: RobotDataset, episode: Episode, predicted: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the pictures of a video: cameras in a row, predicted and recorded actions below."""
    views = [held_out_pictures(dataset, camera)[episode.index] for camera in dataset.schema.cameras]
    recorded = dataset.action[episode.start : episode.stop]
    curves = None
    for step, pictures in enumerate(zip(*views, strict=True)):
        row = side_by_side(pictures, HEIGHT)
        if curves is None:
            curves = strips(dataset.schema.action, predicted, recorded, "recorded", row.shape[1])
        yield np.concatenate([row, curves.at(step)])


def _facts(dataset: RobotDataset, episode: Episode, done: Replayed) -> dict[str, object]:
    return {
        "dataset": dataset.uri,
        "episode": episode.index,
        "task": episode.task,
        "seconds": done.frames / dataset.schema.fps,
        "mean_absolute_error": sum(done.errors.values()) / len(done.errors),
        "error_by_joint": done.errors,
        "units": done.units,
    }
