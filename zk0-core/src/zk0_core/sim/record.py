"""Records the scripted expert into LeRobot datasets, episode by episode, on several cores.

While recording, noise is added to what the arm is told and not to what is written down: the
dataset then shows how to come back from small mistakes. Only episodes that succeed are kept.
"""

import multiprocessing
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from zk0_core.cache import cache_folder
from zk0_core.errors import DataError, Zk0Error
from zk0_core.files import build_folder, write_json
from zk0_core.seeds import derive_seed
from zk0_core.sim.arm import CAMERAS, FPS, JOINTS, MAX_STEPS, PICTURE_SIZE, SimulatedArm
from zk0_core.sim.spec import SimSpec

# Raise it whenever the same spec would record other episodes; cached ones are then left alone.
RECORDER_VERSION = 1

_NOISE = np.array([1.5, 1.5, 1.5, 1.5, 1.5, 0.0])  # degrees; the gripper's is 0: it would let go
_NOISE_KEPT = 0.7  # how much of a step's noise is still there at the next

Progress = Callable[[SimSpec, int], None]
"""Called with a spec and how many of its episodes are recorded so far."""


@attrs.frozen(eq=False)
class Episode:
    """One successful lift of T steps.

    Attributes:
        states: Joints before each step, float32 (T, 6): degrees, gripper 0 to 100.
        actions: The expert's joint targets without the noise, float32 (T, 6).
        pictures: By camera, before each step, uint8 (T, 96, 96, 3), RGB.
    """

    states: np.ndarray
    actions: np.ndarray
    pictures: dict[str, np.ndarray]


@cache
def _own_arm() -> SimulatedArm:
    return SimulatedArm()


def attempt(scene_seed: int, region: str) -> Episode | None:
    """Let the expert try one scene; the result depends on the arguments and nothing else.

    Returns:
        The episode, or None if the cube was not lifted in time.
    """
    from zk0_core.sim.expert import Expert

    arm = _own_arm()
    arm.reset(scene_seed, region)
    expert = Expert(arm)
    random = np.random.default_rng(derive_seed(scene_seed, "recording noise"))
    noise = np.zeros(len(JOINTS))
    states, actions, scenes = [], [], []
    while not arm.done:
        action = expert.act()
        states.append(arm.joints())
        actions.append(action)
        scenes.append(arm.scene())
        noise = _NOISE_KEPT * noise + random.normal(0, _NOISE)
        arm.step(action + noise)
    if not arm.success:
        return None
    # Drawn only now: a picture takes longer than a step, and failures need none.
    pictures = {
        camera: np.stack([arm.render_scene(scene, camera) for scene in scenes])
        for camera in CAMERAS
    }
    return Episode(np.stack(states), np.stack(actions), pictures)


def record(
    spec: SimSpec,
    folder: Path,
    progress: Progress | None = None,
    *,
    pool: Executor | None = None,
) -> None:
    """Write a LeRobot v3 dataset of `spec` into `folder`, which must be empty or absent.

    Beside LeRobot's files, `meta/recording.json` says how many scenes were tried.

    Args:
        spec: What to record.
        folder: Where; left incomplete if recording fails.
        progress: Told about every episode.
        pool: Processes to work in; None works in this one. The episodes are the same.

    Raises:
        DataError: if `folder` holds something.
        Zk0Error: if too few of the scenes that a spec may try end in success.
    """
    if folder.exists():
        if any(folder.iterdir()):
            raise DataError(f"{folder} is not empty; name another folder to record {spec} into")
        folder.rmdir()  # LeRobot insists on making it
    dataset = _create(spec, folder)
    kept = tried = frames = 0
    for episode in _attempts(spec.scene_seeds(), spec.region, pool):
        tried += 1
        if episode is None:
            continue
        _add(dataset, episode, spec.instruction)
        kept += 1
        frames += len(episode.states)
        if progress is not None:
            progress(spec, kept)
        if kept == spec.episodes:
            break
    dataset.finalize()
    if kept < spec.episodes:
        raise Zk0Error(f"{spec}: only {kept} of {tried} scenes ended in success")
    write_json(
        folder / "meta" / "recording.json",
        {
            "spec": str(spec),
            "recorder_version": RECORDER_VERSION,
            "scenes_tried": tried,
            "episodes": kept,
            "frames": frames,
        },
    )


def recorded(spec: SimSpec, *, workers: int = 2, progress: Progress | None = None) -> Path:
    """Return the folder of the dataset of `spec`, recorded now unless it is in the cache.

    See `record_all`.
    """
    return record_all([spec], workers=workers, progress=progress)[0]


def record_all(
    specs: Sequence[SimSpec], *, workers: int = 2, progress: Progress | None = None
) -> list[Path]:
    """Return the folders of the datasets of `specs`, those not in the cache recorded now.

    Args:
        specs: What to record.
        workers: Processes to record with, from 1, which starts none. Where more are started, the
            calling script needs the usual `if __name__ == "__main__":`.
        progress: Told about every episode.

    Raises:
        Zk0Error: as `record` does.
    """
    folders = [_cached(spec) for spec in specs]
    if all(folder.is_dir() for folder in folders):
        return folders
    with _pool(workers) as pool:
        for spec, folder in zip(specs, folders, strict=True):
            build_folder(folder, lambda part, spec=spec: record(spec, part, progress, pool=pool))
    return folders


def discard(spec: SimSpec) -> None:
    """Remove the dataset of `spec` from the cache, if it is there."""
    shutil.rmtree(_cached(spec), ignore_errors=True)


def _cached(spec: SimSpec) -> Path:
    name = f"{spec.task}-{spec.region}-{spec.split}-{spec.episodes}-{spec.seed}"
    return cache_folder("sim", f"recordings-{RECORDER_VERSION}", name)


def _pool(workers: int) -> Any:
    if workers == 1:
        return nullcontext()
    # Not fork, which copies held locks; forkserver imports what recording needs only once.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["zk0_core.sim.record", "zk0_core.sim.expert"])
    return ProcessPoolExecutor(workers, mp_context=context)


def _attempts(
    seeds: Iterable[int], region: str, pool: Executor | None, ahead: int = 3
) -> Iterator[Episode | None]:
    """Yield the attempt at every seed, in order, `ahead` of them in work at a time."""
    if pool is None:
        yield from (attempt(seed, region) for seed in seeds)
        return
    waiting: deque[Future[Episode | None]] = deque()
    try:
        for seed in seeds:
            waiting.append(pool.submit(attempt, seed, region))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _create(spec: SimSpec, folder: Path) -> Any:
    from lerobot.configs.video import RGBEncoderConfig
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    joints = {"dtype": "float32", "shape": (len(JOINTS),), "names": [f"{j}.pos" for j in JOINTS]}
    picture = {
        "dtype": "video",
        "shape": (PICTURE_SIZE, PICTURE_SIZE, 3),
        "names": ["height", "width", "channels"],
    }
    return LeRobotDataset.create(
        repo_id=f"zk0/sim-{spec.task}-{spec.region}",
        fps=FPS,
        features={
            "observation.state": joints,
            "action": joints,
            **{f"observation.images.{camera}": picture for camera in CAMERAS},
        },
        root=folder,
        robot_type="so101_follower",
        rgb_encoder=RGBEncoderConfig(vcodec="h264", g=2, crf=23),
        # Straight into the video, no PNG file for every frame. The queue holds a whole episode:
        # LeRobot drops frames when it is full.
        streaming_encoding=True,
        encoder_queue_maxsize=MAX_STEPS + 1,
        encoder_threads=1,
    )


def _add(dataset: Any, episode: Episode, instruction: str) -> None:
    for step in range(len(episode.states)):
        dataset.add_frame(
            {
                "observation.state": episode.states[step],
                "action": episode.actions[step],
                **{
                    f"observation.images.{camera}": pictures[step]
                    for camera, pictures in episode.pictures.items()
                },
                "task": instruction,
            }
        )
    dataset.save_episode()
