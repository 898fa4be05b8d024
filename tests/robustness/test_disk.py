"""A disk that is full: the run stops with all that it had, and goes on when there is room."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from loguru import logger
from safetensors import SafetensorError
from safetensors.numpy import save_file

from tests.disks import fill, mounted
from tests.small_runs import history_without_times, model_hash, small_plan
from zk0_core.cache import cache_folder
from zk0_core.disk import (
    SPARE,
    DiskFull,
    is_full,
    require_room,
    reserve,
    round_bytes,
    stopping_when_full,
)
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.plan import RunPlan
from zk0_core.run import resume, run
from zk0_core.runfile import plan_to_json
from zk0_core.server.checkpoint import Checkpoint, Checkpoints
from zk0_core.server.output import RunFolder
from zk0_core.tensor_files import DamagedFile, read_tensors, write_tensors
from zk0_core.tensors import Tensors, fingerprint

PROGRAM = (
    "import sys; from pathlib import Path; from zk0_core.run import run; "
    "from zk0_core.runfile import plan_from_json; "
    "run(plan_from_json(sys.stdin.read()), Path(sys.argv[1]))"
)
MEGABYTES = 1024
PARAMS: Tensors = {"w": np.arange(6, dtype=np.float32), "z": np.zeros((0, 2), np.float32)}


def plan() -> RunPlan:
    changes = {"reporters": (), "mu_schedulers": (), "evaluations": (), "checkpoint_every": 0}
    return small_plan(rounds=3, workers=1, **changes)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", MEGABYTES) as place:
        yield place


@pytest.mark.long
@pytest.mark.parametrize("after", ["history", "training"])
def test_a_full_disk_stops_the_run_which_ends_the_same_with_room(
    after: str, small_disk: Path, tmp_path: Path
) -> None:
    folder = small_disk / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    process.stdin.write(plan_to_json(plan()))
    process.stdin.close()
    # Either between two rounds, where room is looked for, or in the middle of one.
    sign = "history.jsonl" if after == "history" else "clients/right/state/round_1.safetensors"
    lines = 2 if after == "history" else 0
    while not (folder / sign).is_file() or (folder / sign).read_bytes().count(b"\n") < lines:
        assert process.poll() is None
        time.sleep(0.01)
    # Filling takes longer than the rounds that are left.
    process.send_signal(signal.SIGSTOP)
    fill(small_disk / "filler")
    process.send_signal(signal.SIGCONT)
    assert process.stderr
    with process.stderr:
        said = process.stderr.read()
    assert process.wait() == 1
    assert f"free some, then zk0 resume {folder}" in said
    assert "DiskFull" in said
    assert not (folder / "models/final/zk0.json").is_file()

    (small_disk / "filler").unlink()
    resume(folder)
    whole = tmp_path / "whole"
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(whole)],
        input=plan_to_json(plan()),
        text=True,
        check=True,
    )
    assert model_hash(folder) == model_hash(whole)
    assert history_without_times(folder) == history_without_times(whole)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_write_that_finds_no_room_names_the_run(tmp_path: Path) -> None:
    with pytest.raises(DiskFull) as stopped, stopping_when_full(tmp_path):
        Path("/dev/full").write_text("more than there is room for")
    text = r"the disk is full: [\d.]+ MB free in (.*); all rounds up to the last checkpoint are "
    text += r"intact; free some, then zk0 resume (.*)"
    match = re.fullmatch(text, str(stopped.value))
    assert match is not None
    assert match.groups() == (str(tmp_path), str(tmp_path))


def test_a_full_disk_is_known_from_what_safetensors_says(small_disk: Path) -> None:
    fill(small_disk / "filler")
    with pytest.raises(SafetensorError) as problem:
        save_file({"w": np.zeros(2**16, np.float32)}, small_disk / "w.safetensors")
    assert is_full(problem.value)


def test_room_that_is_not_there_is_an_error_before_a_map_is_filled(small_disk: Path) -> None:
    fill(small_disk / "filler")
    with (small_disk / "filler").open("r+b") as filler:
        filler.truncate((MEGABYTES - 2) * 2**20)
    file = small_disk / "values.npy"
    # Larger than what is free, and nothing says so.
    np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=(4 * 2**20,))
    with pytest.raises(OSError) as refused:
        reserve(file, "keys and values of local:desk")
    assert is_full(refused.value)
    assert str(refused.value) == (
        "[Errno 28] No space left on device: keys and values of local:desk take 0.00419 GB; free "
        f"some, or set ZK0_CACHE to another disk: '{file}'"
    )


def test_what_is_in_a_file_stays_when_its_room_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "values.npy"
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(2**20,))
    array[1000] = 7
    array.flush()
    before = path.read_bytes()
    reserve(path, "values")
    assert path.read_bytes() == before
    assert path.stat().st_blocks * 512 >= 2**20


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, None])
def test_a_file_system_that_takes_no_room_beforehand_is_said(
    number: int | None, tmp_path: Path, monkeypatch
) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{message}")

    def refuse(*arguments: int) -> None:
        raise OSError(number, "as some file systems do")

    if number is None:  # macOS has no such call
        monkeypatch.delattr(os, "posix_fallocate")
    else:
        monkeypatch.setattr(os, "posix_fallocate", refuse)
    (tmp_path / "values.npy").write_bytes(bytes(2_000_000))
    reserve(tmp_path / "values.npy", "decoded frames of local:desk")
    logger.remove(sink)
    assert lines == [
        f"room for decoded frames of local:desk cannot be reserved at {tmp_path}; keep 0.002 GB "
        "free there, or this process is killed when the disk is full\n"
    ]


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), stopping_when_full(tmp_path):
        (tmp_path / "missing").read_text()
    assert not is_full(FileNotFoundError(2, "missing"))
    assert not is_full(None)


def test_room_is_looked_for_before_it_is_needed(tmp_path: Path) -> None:
    require_room(tmp_path / "not there yet", 1, "round 3")
    with pytest.raises(
        DiskFull, match=r"too little disk for round 3: [\d.]+ MB free, 1000000000000"
    ) as no:
        require_room(tmp_path, 10**18, "round 3")
    assert str(no.value).endswith(f"MB needed in {tmp_path}; free some, then zk0 resume {tmp_path}")


@pytest.mark.parametrize(("what", "choice"), [("output", "--output"), ("cache", "ZK0_CACHE")])
def test_room_is_looked_for_before_a_run(
    what: str, choice: str, tmp_path: Path, monkeypatch
) -> None:
    """A disk with 100 MB of the 512 that are needed; nothing is written."""
    full = tmp_path / "run" if what == "output" else cache_folder()
    free = {full: 100 * 2**20}
    monkeypatch.setattr("zk0_core.run.free_bytes", lambda path: free.get(path, 2**40))
    with pytest.raises(UsageError) as refused:
        run(plan(), tmp_path / "run")
    assert str(refused.value) == (
        f"too little disk for the {what} folder {full}: 100 MB free, 512 MB needed; free some, or "
        f"choose another with {choice}"
    )
    assert not (tmp_path / "run").exists()


def test_what_a_round_writes(tmp_path: Path) -> None:
    """6 values are 24 bytes: 4 times for the server and for each of 2 clients, a model of 5."""
    (tmp_path / "config").write_text("12345")
    assert round_bytes(PARAMS, 2, tmp_path) == 24 * 12 + 5 + SPARE
    assert round_bytes(PARAMS, 0, None) == 24 * 4 + SPARE


def test_the_last_model_may_be_of_a_round_long_ago(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.last_model() is None
    for round in (5, 10):
        folder.model(round).mkdir(parents=True)
    folder.model(None).mkdir()
    assert folder.last_model() == tmp_path / "models/round_10"


# What was written is what is read, or it is not read at all.


def test_tensors_come_back(tmp_path: Path) -> None:
    write_tensors(tmp_path / "it.safetensors", PARAMS)
    assert fingerprint(read_tensors(tmp_path / "it.safetensors")) == fingerprint(PARAMS)
    write_tensors(tmp_path / "empty.safetensors", {})
    assert read_tensors(tmp_path / "empty.safetensors") == {}


def test_a_bit_that_is_not_the_one_that_was_written_is_found(tmp_path: Path) -> None:
    path = tmp_path / "it.safetensors"
    write_tensors(path, PARAMS)
    whole = path.read_bytes()
    damage = [
        (whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:], "is damaged: its hash is not the one"),
        (whole[:-8], "cannot be read"),
        (b"", "cannot be read"),
        (whole[:20] + b"\xff" + whole[21:], "cannot be read"),
    ]
    for content, text in damage:
        path.write_bytes(content)
        with pytest.raises(DamagedFile, match=text):
            read_tensors(path)
    save_file(PARAMS, path)
    with pytest.raises(DamagedFile, match="is damaged: its hash is not the one"):
        read_tensors(path)


def test_a_copy_beside_the_checkpoints_is_none_of_them(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(Checkpoint(1, {"w": np.ones(3, np.float32)}, {}))
    shutil.copytree(tmp_path / "round_1", tmp_path / "round_2.bak")
    last = checkpoints.last()
    assert last is not None
    assert last.round == 1
    checkpoints.save(Checkpoint(5, {"w": np.ones(3, np.float32)}, {}))
    assert (tmp_path / "round_2.bak").is_dir()


def test_a_damaged_checkpoint_is_left_out_for_the_one_before(
    tmp_path: Path, said: list[str]
) -> None:
    checkpoints = Checkpoints(tmp_path)
    for round in (1, 2):
        checkpoints.save(Checkpoint(round, {"w": np.full(3, round, np.float32)}, {}))
    with (tmp_path / "round_2" / "params.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    last = checkpoints.last()
    assert last is not None
    assert (last.round, last.params["w"].tolist()) == (1, [1.0, 1.0, 1.0])
    assert said == [
        f"checkpoint of round 2 is left out: {tmp_path}/round_2/params.safetensors is damaged: its "
        "hash is not the one that was written with it"
    ]
    (tmp_path / "round_1" / "strategy.safetensors").unlink()
    with pytest.raises(Zk0Error) as refused:
        checkpoints.last()
    assert str(refused.value).startswith(f"no checkpoint in {tmp_path} can be used: ")
    assert str(refused.value).endswith("restore one from a copy, or start the run afresh")
