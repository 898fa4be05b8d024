"""What `sim:` addresses mean: which demonstrations of the simulated arm, from which random scenes.

`sim:lift?region=left&episodes=50` stands for 50 demonstrations of lifting a cube that lies in the
left strip of the table. Every scene is drawn from one whole number, its seed; the ranges below
never overlap, so that no demonstration, evaluation start or base scene can be another's.
"""

from typing import Any

import attrs

from zk0_core.addresses import Address
from zk0_core.errors import DataError
from zk0_core.options import did_you_mean

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

TASKS = {"lift": "Pick up the red cube"}
"""Task to the sentence that the policy is told."""

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


def demonstration_seeds(region: str, split: str, seed: int) -> range:
    """Return the scene seeds of one recording; disjoint for each region, split and seed."""
    row = (seed * len(SPLITS) + SPLITS.index(split)) * len(REGIONS) + list(REGIONS).index(region)
    start = _DEMONSTRATIONS_FROM + row * _SEEDS_PER_RECORDING
    return range(start, start + _SEEDS_PER_RECORDING)


def region_of(xy: tuple[float, float]) -> str:
    """Return the strip that holds the point `xy` (metres); the nearest strip if none does."""
    strips = [name for name in REGIONS if name != "all"]
    for name in strips:
        if xy[1] < REGIONS[name][1][1]:
            return name
    return strips[-1]


@attrs.frozen
class SimSpec:
    """One set of demonstrations of the simulated arm."""

    task: str = "lift"
    region: str = "all"
    split: str = "train"
    episodes: int = 50
    """How many successful demonstrations, 1 to 1,000."""
    seed: int = 0
    """Another seed, 0 to 9,999, gives other demonstrations of the same kind."""

    def __attrs_post_init__(self) -> None:
        """Refuse values that name no recording."""
        _check_choice("task", self.task, tuple(TASKS))
        _check_choice("region", self.region, tuple(REGIONS))
        _check_choice("split", self.split, SPLITS)
        _check_range("episodes", self.episodes, 1, MAX_EPISODES)
        _check_range("seed", self.seed, 0, MAX_SEED)

    @classmethod
    def parse(cls, uri: str) -> "SimSpec":
        """Read an address such as `sim:lift?region=left&episodes=50&split=eval&seed=1`.

        Raises:
            DataError: if the address names an unknown task or option, or a value out of range.
        """
        ours = uri.startswith("sim:")
        address = Address.parse(uri, _OPTIONS if ours else None)
        if not ours:
            raise DataError(
                f"dataset '{uri}' is not one of the simulated arm; write it like "
                "sim:lift?region=left&episodes=50"
            )
        values: dict[str, Any] = {"task": address.place, **address.options}
        values |= {name: address.whole_number(name) for name in _NUMBERS if name in values}
        try:
            return cls(**values)
        except DataError as error:
            raise DataError(f"dataset '{uri}': {error}") from None

    @property
    def uri(self) -> str:
        """The address, always written the same way: region and episodes, then what differs."""
        uri = f"sim:{self.task}?region={self.region}&episodes={self.episodes}"
        if self.split != "train":
            uri += f"&split={self.split}"
        return uri + (f"&seed={self.seed}" if self.seed else "")

    @property
    def instruction(self) -> str:
        """The sentence that the policy is told."""
        return TASKS[self.task]

    @property
    def scene_seeds(self) -> range:
        """The seeds that the recording's scenes are drawn from, in the order they are tried."""
        return demonstration_seeds(self.region, self.split, self.seed)


_OPTIONS = ("region", "episodes", "split", "seed")
_NUMBERS = ("episodes", "seed")


def _check_choice(kind: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a `value` that is not among `choices`."""
    if value not in choices:
        guess = did_you_mean(value, choices)
        raise DataError(f"unknown {kind} '{value}'; choose from {', '.join(choices)}{guess}")


def _check_range(name: str, value: int, low: int, high: int) -> None:
    """Refuse a `value` outside [low, high]."""
    if not low <= value <= high:
        raise DataError(f"{name}={value} is out of range; choose {low} to {high}")
