"""Record the expert's demonstrations as LeRobot v3 datasets, once, in the cache folder.

Episodes are simulated by worker processes and written by this one. Which attempts are kept, and
every number in them, follows from the spec alone, however many workers there are.
"""

import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from zk0_core.cache import cache_folder
from zk0_core.data import Progress
from zk0_core.engines.orphans import end_with_parent
from zk0_core.errors import Zk0Error
from zk0_core.files import build_folder
from zk0_core.sim.arm import CAMERAS, FPS, JOINTS, PICTURE_SIZE
from zk0_core.sim.demonstration import Demonstration, demonstrate
from zk0_core.sim.spec import SimSpec
from zk0_core.sim.tasks import TASKS

if TYPE_CHECKING:
    from lerobot.configs.video import RGBEncoderConfig

RECORDER_VERSION = 2
"""Raise this when recordings change; older ones in caches are then left alone."""

_WHAT = "recording demonstrations"
_WINDOW = 16  # attempts per worker, about 2.5 MB each


def recorded(
    specs: Sequence[SimSpec], workers: int = 2, progress: Progress | None = None
) -> list[Path]:
    """Return the folder of each spec's dataset, recording the ones that are not there yet.

    Args:
        specs: What is wanted; the same spec twice is recorded once.
        workers: How many processes simulate; with 1, this process does.
        progress: Told of episodes written, over all missing datasets together.

    Raises:
        Zk0Error: if the expert fails more often than a recording has scenes.
    """
    folders = {spec: _folder(spec) for spec in specs}
    missing = [spec for spec, folder in folders.items() if not folder.is_dir()]
    if missing:
        tally = _Tally(progress, total=sum(spec.episodes for spec in missing))
        with _workers(workers) as executor:
            simulation = _Simulation(missing, executor, window=_WINDOW * workers)
            for spec in missing:
                # Another process may have made it meanwhile; then nothing is written here.
                build_folder(folders[spec], _Recorder(spec, simulation, tally).write)
                simulation.forget(spec)
    return [folders[spec] for spec in specs]


def record(spec: SimSpec, folder: Path, progress: Progress | None = None) -> Path:
    """Record `spec` into `folder`, which must be missing or empty, in this process alone."""
    simulation = _Simulation([spec], None, window=1)
    _Recorder(spec, simulation, _Tally(progress, total=spec.episodes)).write(folder)
    return folder


def _folder(spec: SimSpec) -> Path:
    """Return where `spec`'s dataset is kept."""
    name = f"{spec.task}-{spec.region}-{spec.split}-{spec.episodes}-seed{spec.seed}"
    name += "".join(f"-{option}={value}" for option, value in spec.unusual.items())
    return cache_folder("sim", f"recordings-v{RECORDER_VERSION}", name)


@contextmanager
def _workers(count: int) -> Iterator[Executor | None]:
    """Provide `count` processes that simulate, or None for this process alone."""
    if count <= 1:
        yield None
        return
    # Spawned rather than forked, which is unsafe beside the threads of torch and of encoders. A
    # worker imports MuJoCo but neither torch nor LeRobot: it is there in less than a second.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=end_with_parent) as executor:
        try:
            yield executor
        finally:
            executor.shutdown(cancel_futures=True)


@attrs.define
class _Line:
    """The attempts at one recording, in the order of their scene seeds."""

    wanted: int  # successes still wanted
    seeds: Iterator[int]
    waiting: deque[Future[Demonstration | None]] = attrs.field(factory=deque)


class _Simulation:
    """Simulates the attempts at several recordings ahead of their writing.

    At most `window` attempts are under way or waiting to be written, since each holds megabytes of
    pictures; and no more of one recording than are still wanted, so that few are made in vain.
    """

    def __init__(self, specs: Sequence[SimSpec], executor: Executor | None, *, window: int) -> None:
        self._executor = executor
        self._window = window
        self._lines = {spec: _Line(spec.episodes, iter(spec.scene_seeds)) for spec in specs}
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Send workers as many attempts as the window has room for, in the order of the specs."""
        if self._executor is None:
            return
        room = self._window - sum(len(line.waiting) for line in self._lines.values())
        for spec, line in self._lines.items():
            count = min(room, line.wanted - len(line.waiting))
            for seed in islice(line.seeds, max(count, 0)):
                line.waiting.append(
                    self._executor.submit(demonstrate, spec.setup, spec.region, seed)
                )
                room -= 1

    def successes(self, spec: SimSpec) -> Iterator[Demonstration]:
        """Yield the first `spec.episodes` demonstrations that succeed, in the order of seeds.

        Raises:
            Zk0Error: if the scenes run out before.
        """
        line = self._lines[spec]
        while line.wanted:
            demonstration = self._attempt(spec, line)
            if demonstration is not None:
                line.wanted -= 1
                yield demonstration
            self._look_ahead()

    def _attempt(self, spec: SimSpec, line: _Line) -> Demonstration | None:
        """Return what the next attempt gave, or None if the expert failed."""
        if line.waiting:
            return line.waiting.popleft().result()
        seed = next(line.seeds, None)
        if seed is None:
            raise Zk0Error(
                f"{spec.uri}: of {len(spec.scene_seeds):,} scenes the expert succeeded in only "
                f"{spec.episodes - line.wanted}; ask for fewer episodes"
            )
        return demonstrate(spec.setup, spec.region, seed)

    def forget(self, spec: SimSpec) -> None:
        """Drop what is under way for `spec`."""
        for future in self._lines.pop(spec).waiting:
            future.cancel()


@attrs.define
class _Tally:
    """Counts the episodes written, over several datasets."""

    progress: Progress | None
    total: int
    done: int = 0

    def add(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(_WHAT, self.done, self.total)


@attrs.frozen
class _Recorder:
    """Writes one recording."""

    spec: SimSpec
    simulation: _Simulation
    tally: _Tally

    def write(self, folder: Path) -> None:
        """Write a LeRobot v3 dataset into `folder`."""
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        if folder.is_dir():
            folder.rmdir()  # LeRobot insists on making it
        with _quiet_encoding():
            dataset = LeRobotDataset.create(
                repo_id=f"zk0/sim-{self.spec.task}-{self.spec.region}",
                fps=FPS,
                features=_features(),
                root=folder,
                robot_type="so101_follower",
                # torchcodec needs a system's ffmpeg, PyAV brings its own.
                video_backend="pyav",
                rgb_encoder=_encoder(),
                streaming_encoding=True,
                # Room for a whole episode: LeRobot drops frames when this queue is full.
                encoder_queue_maxsize=TASKS[self.spec.task].max_steps + 1,
                encoder_threads=1,
            )
            try:
                for demonstration in self.simulation.successes(self.spec):
                    for frame in demonstration.frames():
                        dataset.add_frame({**frame, "task": demonstration.instruction})
                    dataset.save_episode()
                    self.tally.add()
            finally:
                dataset.finalize()


def _encoder() -> "RGBEncoderConfig":
    """Return how pictures are encoded: the same ones to the same bytes."""
    from lerobot.configs.video import RGBEncoderConfig

    return RGBEncoderConfig(
        vcodec="h264",
        # Every other picture is a whole one, so that any frame is found quickly.
        g=2,
        crf=23,
        # With it, one encoding in some thirty came out otherwise, and always other with AVX-512
        # than without. Between whole pictures so close to each other it has nothing to look for.
        extra_options={"x264-params": "mbtree=0"},
    )


@contextmanager
def _quiet_encoding() -> Iterator[None]:
    """Keep x264's statistics and progress bars, a screenful per episode, off the terminal."""
    import av.logging
    import datasets  # type: ignore[import-untyped]  # it has no types

    bars = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    # libav's own level cannot be read; info is what it starts with.
    av.logging.set_libav_level(av.logging.ERROR)
    try:
        yield
    finally:
        av.logging.set_libav_level(av.logging.INFO)
        if bars:
            datasets.enable_progress_bars()


def _features() -> dict[str, dict[str, object]]:
    """Return what LeRobot is told of a frame."""
    names = [f"{joint}.pos" for joint in JOINTS]
    joints: dict[str, object] = {"dtype": "float32", "shape": (len(JOINTS),), "names": names}
    video: dict[str, object] = {
        "dtype": "video",
        "shape": (PICTURE_SIZE, PICTURE_SIZE, 3),
        "names": ["height", "width", "channels"],
    }
    pictures = {f"observation.images.{camera}": video.copy() for camera in CAMERAS}
    return {"observation.state": joints, "action": joints.copy(), **pictures}
