"""What `sim:` addresses mean: which demonstrations of the simulated arm, from which random scenes.

`sim:lift?region=left&episodes=50` stands for 50 demonstrations of lifting a cube that lies in the
left strip of the table. Every scene is drawn from one whole number, its seed; the ranges below
never overlap, so that no demonstration, evaluation start or base scene can be another's.
"""

from typing import Any

import attrs

from zk0_core.addresses import HELD_OUT, Address
from zk0_core.errors import DataError
from zk0_core.sim.setup import SETUP_RANGES, Setup, check_choice, check_range
from zk0_core.sim.tasks import TASKS

Box = tuple[tuple[float, float], tuple[float, float]]
"""(x0, y0), (x1, y1) on the table in metres, seen from the arm's base: x ahead, y to the left."""

_X0, _X1 = 0.17, 0.28
REGIONS: dict[str, Box] = {
    "right": ((_X0, -0.10), (_X1, -0.05)),
    "mid-right": ((_X0, -0.05), (_X1, 0.0)),
    "mid-left": ((_X0, 0.0), (_X1, 0.05)),
    "left": ((_X0, 0.05), (_X1, 0.10)),
    "all": ((_X0, -0.10), (_X1, 0.10)),
}
"""Where the cube may lie: four strips, and the whole table."""

SPLITS = ("train", "eval")
MAX_EPISODES = 1_000
MAX_SEED = 9_999

BASE_SCENES = range(0, 1_000_000)
"""Seeds of the scenes that the frozen base is trained on."""
EVALUATION_STARTS = range(1_000_000, 2_000_000)
"""Seeds of the scenes that closed-loop evaluation starts from."""
_DEMONSTRATIONS_FROM = 10_000_000
# Ten times the most episodes: attempts that fail are replaced by the next seeds of the range.
_SEEDS_PER_RECORDING = 10 * MAX_EPISODES


def demonstration_seeds(region: str, split: str, seed: int, task: str = "lift") -> range:
    """Return the scene seeds of one recording; disjoint for each task, region, split and seed."""
    row = list(TASKS).index(task) * (MAX_SEED + 1) + seed
    row = (row * len(SPLITS) + SPLITS.index(split)) * len(REGIONS) + list(REGIONS).index(region)
    start = _DEMONSTRATIONS_FROM + row * _SEEDS_PER_RECORDING
    return range(start, start + _SEEDS_PER_RECORDING)


def region_of(xy: tuple[float, float]) -> str:
    """Return the strip that holds the point `xy` (metres); the nearest strip if none does."""
    strips = [name for name in REGIONS if name != "all"]
    for name in strips:
        if xy[1] < REGIONS[name][1][1]:
            return name
    return strips[-1]


@attrs.frozen(kw_only=True)
class SimSpec(Setup):
    """One set of demonstrations of the simulated arm."""

    region: str = "all"
    split: str = "train"
    episodes: int = 50
    """How many successful demonstrations, 1 to 1,000."""
    seed: int = 0
    """Another seed, 0 to 9,999, gives other demonstrations of the same kind."""

    def __attrs_post_init__(self) -> None:
        """Refuse values that name no recording."""
        super().__attrs_post_init__()
        check_choice("region", self.region, tuple(REGIONS))
        check_choice("split", self.split, SPLITS)
        for name, (low, high) in _RANGES.items():
            check_range(name, getattr(self, name), low, high)

    @classmethod
    def parse(cls, uri: str) -> "SimSpec":
        """Read an address such as `sim:lift?region=left&episodes=50&split=eval&seed=1`.

        What it chooses of the recording, by OF_A_RECORDING, is no part of the spec.

        Raises:
            DataError: if the address names an unknown task or option, or a value out of range.
        """
        ours = uri.startswith("sim:")
        address = Address.parse(uri, (*_OPTIONS, *OF_A_RECORDING) if ours else None)
        if not ours:
            raise DataError(
                f"dataset '{uri}' is not one of the simulated arm; write it like "
                "sim:lift?region=left&episodes=50"
            )
        named = {name: text for name, text in address.options.items() if name in _OPTIONS}
        values: dict[str, Any] = {"task": address.place, **named}
        values |= {
            name: address.whole_number(name) for name in (*_RANGES, *SETUP_RANGES) if name in values
        }
        try:
            if values.get("split") == "eval" and HELD_OUT in address.options:
                raise DataError(f"split=eval holds out every episode; leave {HELD_OUT} out")
            return cls(**values)
        except DataError as error:
            raise DataError(f"dataset '{uri}': {error}") from None

    @property
    def uri(self) -> str:
        """The address, always written the same way: region and episodes, then what differs."""
        uri = f"sim:{self.task}?region={self.region}&episodes={self.episodes}"
        if self.split != "train":
            uri += f"&split={self.split}"
        if self.seed:
            uri += f"&seed={self.seed}"
        return uri + "".join(f"&{name}={value}" for name, value in self.unusual.items())

    @property
    def unusual(self) -> dict[str, str | int]:
        """Options of the set-up, as far as they are not the usual ones of the task."""
        usual = Setup(task=self.task)
        values = {name: getattr(self, name) for name in SETUP_OPTIONS}
        return {name: value for name, value in values.items() if value != getattr(usual, name)}

    @property
    def setup(self) -> Setup:
        """What the arm is set up for."""
        values = {name: getattr(self, name) for name in SETUP_OPTIONS}
        return Setup(task=self.task, **values)

    @property
    def scene_seeds(self) -> range:
        """The seeds that the recording's scenes are drawn from, in the order they are tried."""
        return demonstration_seeds(self.region, self.split, self.seed, self.task)


OF_A_RECORDING = (HELD_OUT, "partition", "fps", "rename")
"""Options that choose from a recording, as from any other dataset."""
SETUP_OPTIONS = tuple(field.name for field in attrs.fields(Setup) if field.name != "task")
_OPTIONS = ("region", "episodes", "split", "seed", *SETUP_OPTIONS)
_RANGES = {"episodes": (1, MAX_EPISODES), "seed": (0, MAX_SEED)}
