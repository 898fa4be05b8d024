"""What to record from the simulated arm, as text: `sim:lift?region=left&episodes=50`.

Imports neither mujoco nor torch, so that plans can be checked in no time.
"""

import difflib
from collections.abc import Iterable
from typing import Self

import attrs

from zk0_core.errors import DataError

PREFIX = "sim:"
TASKS = {"lift": "Pick up the red cube"}
SPLITS = ("train", "eval")

# Where the cube may start, in metres from the arm's base: x ahead of it, y to its left.
TABLE_X = (0.17, 0.28)
REGIONS = {
    "right": (-0.10, -0.05),
    "mid-right": (-0.05, 0.00),
    "mid-left": (0.00, 0.05),
    "left": (0.05, 0.10),
    "all": (-0.10, 0.10),
}

MAX_EPISODES = 5_000
MAX_SEED = 999
# A recording may try this many scenes; the expert fails on few of them.
ATTEMPTS_PER_RECORDING = 2 * MAX_EPISODES

# One integer names a scene. The three uses never share one: a policy is neither pretrained nor
# trained on a start that it is later judged on.
EVALUATION_STARTS = range(0, 1_000_000)
BASE_SCENES = range(1_000_000, 2_000_000)
DEMONSTRATIONS = range(
    10_000_000,
    10_000_000 + (MAX_SEED + 1) * len(SPLITS) * len(REGIONS) * ATTEMPTS_PER_RECORDING,
)

OPTIONS = ("region", "episodes", "split", "seed")


def start_seed(index: int) -> int:
    """Return the scene seed of evaluation start `index`, in [0, 1,000,000).

    Raises:
        DataError: if there is no such start.
    """
    if not 0 <= index < len(EVALUATION_STARTS):
        raise DataError(
            f"evaluation start {index} does not exist; "
            f"choose one from 0 to {len(EVALUATION_STARTS) - 1}"
        )
    return EVALUATION_STARTS[index]


def region_bounds(region: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the low and the high corner, (x, y) in metres, of where the cube may start.

    Raises:
        DataError: if there is no such region.
    """
    if region not in REGIONS:
        raise DataError(f"simulated arm: unknown region {region!r}; {_choices(region, REGIONS)}")
    low, high = REGIONS[region]
    return (TABLE_X[0], low), (TABLE_X[1], high)


@attrs.frozen
class SimSpec:
    """A recording of the scripted expert, wholly determined by these values.

    Attributes:
        task: What the expert does: "lift".
        region: The strip of the table that the cube starts in, a key of REGIONS.
        split: "train", or "eval" for episodes that share no scene with the training ones.
        episodes: How many successful episodes to record, from 1 to 5,000.
        seed: Another seed records other episodes of the same kind, from 0 to 999.
    """

    task: str
    region: str = "all"
    split: str = "train"
    episodes: int = 50
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        """Check every value.

        Raises:
            DataError: naming the value, the choices and the fix.
        """
        for name, value, choices in (
            ("task", self.task, TASKS),
            ("region", self.region, REGIONS),
            ("split", self.split, SPLITS),
        ):
            if value not in choices:
                raise DataError(
                    f"simulated dataset: unknown {name} {value!r}; {_choices(value, choices)}"
                )
        for name, number, low, high in (
            ("episodes", self.episodes, 1, MAX_EPISODES),
            ("seed", self.seed, 0, MAX_SEED),
        ):
            if not low <= number <= high:
                raise DataError(
                    f"simulated dataset: {name}={number} is out of range; "
                    f"choose one from {low} to {high}"
                )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the spec that `text` describes.

        Args:
            text: Such as `sim:lift?region=left&episodes=50&split=eval&seed=1`. The
                defaults are region=all, episodes=50, split=train, seed=0.

        Raises:
            DataError: naming what is wrong, the choices and the fix.
        """
        task, _, query = text.removeprefix(PREFIX).partition("?")
        if not text.startswith(PREFIX):
            raise DataError(f"{text!r} is no simulated dataset: write sim:lift?region=left&episodes=50")
        options: dict[str, str] = {}
        for part in query.split("&") if query else ():
            name, equals, value = part.partition("=")
            if name not in OPTIONS:
                raise DataError(f"{text!r}: unknown option {name!r}; {_choices(name, OPTIONS)}")
            if not equals or not value:
                raise DataError(f"{text!r}: option {name!r} has no value; write {name}=VALUE")
            if name in options:
                raise DataError(f"{text!r}: option {name!r} is given twice; keep one")
            options[name] = value
        return cls(
            task=task,
            region=options.get("region", "all"),
            split=options.get("split", "train"),
            episodes=_integer(text, "episodes", options.get("episodes", "50")),
            seed=_integer(text, "seed", options.get("seed", "0")),
        )

    def __str__(self) -> str:
        """Return the canonical text: what `parse` reads, defaults of split and seed left out."""
        split = "" if self.split == "train" else f"&split={self.split}"
        seed = "" if self.seed == 0 else f"&seed={self.seed}"
        return f"{PREFIX}{self.task}?region={self.region}&episodes={self.episodes}{split}{seed}"

    @property
    def instruction(self) -> str:
        """The task in words, as the policy reads it."""
        return TASKS[self.task]

    def scene_seeds(self) -> range:
        """Return the scenes to try, in order; other regions, splits and seeds share none of them.

        The number of episodes doesn't change them: 50 episodes are the first 50 of 100.
        """
        block = (self.seed * len(SPLITS) + SPLITS.index(self.split)) * len(REGIONS)
        first = (block + list(REGIONS).index(self.region)) * ATTEMPTS_PER_RECORDING
        return DEMONSTRATIONS[first : first + ATTEMPTS_PER_RECORDING]


def _choices(value: str, choices: Iterable[str]) -> str:
    close = difflib.get_close_matches(value, list(choices), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}choose one of {', '.join(choices)}"


def _integer(text: str, name: str, value: str) -> int:
    # int() alone would also take "1_0", " 1" and digits of other scripts.
    if not (value.isascii() and value.removeprefix("-").isdigit()):
        raise DataError(f"{text!r}: {name}={value} is not a whole number; write {name}=50")
    return int(value)
