"""How soon the command line answers."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from measure import Measure


def help_seconds(short: bool) -> Measure:
    """Seconds until `zk0 --help` has answered."""
    return _answering("--help", short)


def plugins_list_seconds(short: bool) -> Measure:
    """Seconds until `zk0 plugins list` has answered."""
    return _answering("plugins list", short)


def _answering(command: str, short: bool) -> Measure:
    def once() -> float:
        started = time.perf_counter()
        zk0 = Path(sys.executable).with_name("zk0")
        subprocess.run([zk0, *command.split()], check=True, capture_output=True)
        return time.perf_counter() - started

    samples = 2 if short else 11
    median = statistics.median(once() for _ in range(samples))
    return Measure(value=median, ours=median, theirs=None, samples=samples)
