"""What happens when: lines of one file, from all processes."""

import json
import os
import time
from pathlib import Path

FILE = "ZK0_BENCH_STAMPS"
"""The environment variable that names the file."""


def stamp(what: str) -> None:
    """Note that `what` happens now, in seconds of a clock that all processes share."""
    line = json.dumps([what, time.time()]) + "\n"
    with Path(os.environ[FILE]).open("a") as file:
        file.write(line)


def read_stamps(path: Path) -> list[tuple[str, float]]:
    """Return what was noted, in order of time."""
    lines = path.read_text().splitlines()
    return sorted(((what, when) for what, when in map(json.loads, lines)), key=lambda s: s[1])
