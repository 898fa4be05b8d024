"""What the options of an address choose of a LeRobot folder: episodes, and other names."""

from collections.abc import Callable, Sequence
from typing import NoReturn

from zk0_core.addresses import HELD_OUT, Address
from zk0_core.datacheck.findings import numbers
from zk0_core.errors import DataError

OPTIONS = (HELD_OUT, "partition", "episodes", "fps", "rename")
"""Options of an address that `datasets.open_folder` follows."""


def chosen_episodes(address: Address) -> Callable[[int], bool]:
    """Return which episodes, by index, the options `episodes` and `partition` leave.

    Raises:
        DataError: if one is malformed.
    """
    ranges = _ranges(address)
    part, parts = _partition(address)

    def chosen(index: int) -> bool:
        return index % parts == part and any(low <= index <= high for low, high in ranges)

    return chosen


def check_recorded(address: Address, recorded: Sequence[int]) -> None:
    """Raise DataError if the option `episodes` asks for more than were recorded, by index."""
    if "episodes" not in address.options:
        return
    last = max(high for _, high in _ranges(address))
    if last > recorded[-1]:
        raise DataError(
            f"{address.text}: episodes={address.options['episodes']} asks for episode {last}; it "
            f"has {len(recorded)} episodes, {numbers(recorded)}: choose from those"
        )


def rename_option(address: Address) -> dict[str, str]:
    """Return the option `rename`, `old:new` and more of them after commas, as a map.

    Raises:
        DataError: if it is malformed.
    """
    rename: dict[str, str] = {}
    for pair in filter(None, address.options.get("rename", "").split(",")):
        old, colon, new = pair.partition(":")
        if not (old and colon and new) or ":" in new or old in rename:
            _refuse(
                address,
                "rename",
                "old:new, and more after commas",
                "rename=observation.images.side:observation.images.top",
            )
        rename[old] = new
    return rename


def _ranges(address: Address) -> list[tuple[int, int]]:
    if "episodes" not in address.options:
        return [(0, 2**63)]
    ranges = []
    for piece in address.options["episodes"].split(","):
        first, dash, last = piece.partition("-")
        if not (_is_number(first) and (_is_number(last) or not dash)):
            _refuse(address, "episodes", "numbers and ranges", "episodes=0-39 or episodes=0-9,12")
        low, high = int(first), int(last or first)
        if low > high:
            _refuse(address, "episodes", "ranges that go up", f"episodes={high}-{low}")
        ranges.append((low, high))
    return ranges


def _partition(address: Address) -> tuple[int, int]:
    if "partition" not in address.options:
        return 0, 1
    first, _, second = address.options["partition"].partition("/")
    if not (_is_number(first) and _is_number(second) and int(first) < int(second)):
        _refuse(address, "partition", "i/N with 0 ≤ i < N", "partition=0/4")
    return int(first), int(second)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _refuse(address: Address, option: str, wanted: str, example: str) -> NoReturn:
    raise DataError(
        f"{address.text}: {option} must be {wanted}, such as {example}; "
        f"got {address.options[option]!r}"
    )
