"""What dataset loaders must hold."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from zk0_core.errors import DataError
from zk0_core.testing.contract import Contract, check, folder

if TYPE_CHECKING:
    from zk0_core.data import RobotDataset


class LoaderContract(Contract):
    """Checks of a loader, on one small dataset."""

    kind = "loader"
    address: ClassVar[str] = ""
    """The dataset to open, scheme included; or override `sample`, which makes one."""
    missing: ClassVar[str] = ""
    """An address of the scheme at which there is nothing; by default NAME:/no/such/dataset."""

    def sample(self, folder: Path) -> str:
        """Return the address of a small dataset, which may be written to `folder`."""
        check(
            self.address,
            "there is no dataset to try it on: set `address` in the contract, override `sample`, "
            "or give zk0 plugins test --dataset URI",
        )
        return self.address

    def test_schema_fits_the_data(self) -> None:
        """States and actions are finite float32, with one column for each joint of the schema."""
        import numpy as np

        with folder() as place:
            dataset = self._open(place)
            schema = dataset.schema
            check(schema.fps > 0, f"fps is {schema.fps}")
            for name, joints in (("state", schema.state), ("action", schema.action)):
                array = getattr(dataset, name)
                wanted = (len(dataset.state), len(joints))
                check(array.shape == wanted, f"{name} has shape {array.shape}, not {wanted}")
                check(array.dtype == np.float32, f"{name} is {array.dtype}, not float32")
                check(np.isfinite(array).all(), f"{name} has a NaN or an infinity")

    def test_episodes_share_no_frame(self) -> None:
        """Episodes are frames of the dataset, no frame is in two, and tasks are in the schema."""
        with folder() as place:
            dataset = self._open(place)
            check(dataset.episodes, "the dataset has no episode")
            frames, stop = len(dataset.state), 0
            for episode in sorted(dataset.episodes, key=lambda episode: episode.start):
                check(
                    stop <= episode.start < episode.stop <= frames,
                    f"episode {episode.index} has frames [{episode.start}, {episode.stop}); free "
                    f"are [{stop}, {frames})",
                )
                check(
                    episode.task in dataset.schema.tasks,
                    f"the task of episode {episode.index} is not in the schema: {episode.task!r}",
                )
                stop = episode.stop
            count = len(dataset.episodes)
            check(0 <= dataset.held_out <= count, f"{dataset.held_out} of {count} are held out")
            indices = {episode.index for episode in dataset.episodes}
            check(len(indices) == count, "two episodes have one index")
            hashes = {episode.hash for episode in dataset.episodes}
            check(len(hashes) == count, "two episodes have one hash; take it over their content")

    def test_every_picture_comes_once(self) -> None:
        """Each camera gives one picture per frame, uint8, of the size in the schema."""
        import numpy as np

        with folder() as place:
            dataset = self._open(place)
            for camera, (height, width, channels) in dataset.schema.cameras.items():
                wanted = (height, width, channels)
                count = 0
                for picture in dataset.frames(camera):
                    check(
                        (picture.shape, picture.dtype) == (wanted, np.dtype(np.uint8)),
                        f"{camera} gives {picture.dtype} {picture.shape}, not uint8 {wanted}",
                    )
                    count += 1
                frames = len(dataset.state)
                check(count == frames, f"{camera} gives {count} pictures for {frames} frames")

    def test_opened_twice_it_is_the_same(self) -> None:
        """Two processes that open one address see the same content."""
        import numpy as np

        with folder() as place:
            address = self.sample(place)
            first, second = self.build().open(address), self.build().open(address)
            check(first.uri == address, f"its uri is {first.uri!r}, not {address!r}")
            check(first.fingerprint, "the fingerprint is empty; caches are keyed by it")
            check(first.fingerprint == second.fingerprint, "the fingerprint changes")
            check(first.schema == second.schema, "the schema changes")
            check(list(first.episodes) == list(second.episodes), "the episodes change")
            check(np.array_equal(first.state, second.state), "the states change")
            check(np.array_equal(first.action, second.action), "the actions change")

    def test_progress_is_told(self) -> None:
        """`prepare` and `open` take a function for progress, and call it as it is meant."""
        told: list[tuple[Any, ...]] = []

        def progress(what: str, done: int, total: int) -> None:
            told.append((what, done, total))

        with folder() as place:
            address = self.sample(place)
            loader = self.build()
            loader.prepare([address], 1, progress)
            loader.open(address, progress)
        for what, done, total in told:
            check(what, "progress is told without a text")
            check(0 <= done <= total, f"progress says {done} of {total}")

    def test_nothing_there_is_an_error(self) -> None:
        """An address at which there is nothing is a DataError that names it."""
        name = self.plugin if isinstance(self.plugin, str) else self.plugin.name
        address = self.missing or f"{name}:/no/such/dataset"
        try:
            self.build().open(address)
        except DataError as error:
            place = address.partition(":")[2].partition("?")[0]
            check(place in str(error), f"the error does not name {place!r}: {error}")
            check("\n" not in str(error), f"the error is longer than a line: {error}")
            return
        raise AssertionError(f"opening {address} raises no DataError")

    def _open(self, place: Path) -> "RobotDataset":
        dataset: RobotDataset = self.build().open(self.sample(place))
        return dataset
