"""Memory that a process is done with is used again, not given back and asked for anew."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.network.world import PLUGIN, wait_until
from zk0_core.federation.memory import KEPT_MEMORY, kept_memory
from zk0_core.federation.trainer import Trainer, TrainerSettings

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="another C library's allocator"
)

PIECES = """
import resource
import threading

from zk0_core.engines.quiet import PIECE_BYTES

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def hold():
    first, second, third = (bytearray(PIECE_BYTES) for _ in range(3))

def work():
    hold()
    before = faults()
    hold()
    hold()
    print(faults() - before)

threading.Thread(target=work).start()
"""
"""As a server does: in a thread, and several at once."""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEPT_MEMORY:
        monkeypatch.delenv(name, raising=False)


def faults(**environment: str) -> int:
    """Return how often a process that takes pieces again gets a page from the system."""
    done = subprocess.run(
        [sys.executable, "-c", PIECES],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return int(done.stdout)


def test_the_next_piece_is_no_memory_fresh_from_the_system() -> None:
    assert faults(**kept_memory()) < faults() / 10


def test_what_is_set_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert kept_memory() == KEPT_MEMORY | {"MALLOC_ARENA_MAX": "4"}


def test_a_trainer_keeps_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    settings = TrainerSettings(name="ann", dataset="toy:ann", state=tmp_path, logs=tmp_path)
    trainer = Trainer(settings)
    environment = Path(f"/proc/{trainer.pid}/environ")
    kept = {f"{name}={value}" for name, value in KEPT_MEMORY.items()}
    try:
        # It is empty for a moment.
        wait_until(
            "the trainer keeps its memory",
            lambda: kept <= set(environment.read_bytes().decode().split("\0")),
        )
    finally:
        trainer.stop()
    assert not KEPT_MEMORY.keys() & os.environ.keys()
