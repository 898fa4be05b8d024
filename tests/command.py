"""The command, run in this process."""

from collections.abc import Callable

import attrs


@attrs.frozen
class Outcome:
    """What it printed, and its exit status."""

    status: int
    out: str
    error: str


Zk0 = Callable[..., Outcome]
