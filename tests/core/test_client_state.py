"""What a client keeps from round to round, and what it lets go of."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zk0_core.client.state import ClientState, begin_run
from zk0_core.errors import Zk0Error


def trained(folder: Path, *rounds: tuple[int, int]) -> ClientState:
    """Return the states of a client that trained in each of `rounds`: (round, accepted round)."""
    states = ClientState(folder)
    for round, accepted in rounds:
        states.save(round, {"w": np.array([round], np.float32)}, accepted)
    return states


def kept(folder: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("round_")) for path in folder.iterdir())


def test_the_last_two_accepted_rounds_stay_beside_the_one_in_progress(tmp_path: Path) -> None:
    trained(tmp_path, (1, 0), (2, 1), (3, 2), (4, 3))
    assert kept(tmp_path) == [2, 3, 4]


def test_a_client_that_is_asked_now_and_then_can_go_back_too(tmp_path: Path) -> None:
    states = trained(tmp_path, (3, 0), (7, 3), (8, 7))
    # The server goes back to its checkpoint of round 6, before round 7 was accepted.
    assert states.load(3)["w"] == [3]
    states.save(7, {}, 3)
    assert kept(tmp_path) == [3, 7, 8]


def test_states_that_no_order_can_ask_for_do_not_pile_up(tmp_path: Path) -> None:
    """A slow client trains in every round, and no update of it comes in time."""
    trained(tmp_path, (1, 0), (2, 1), *((round, 2) for round in range(3, 20)))
    assert kept(tmp_path) == [1, 2, 19]


def test_a_state_that_is_not_there(tmp_path: Path) -> None:
    states = trained(tmp_path, (1, 0))
    assert states.load(0) == {}
    with pytest.raises(Zk0Error) as error:
        states.load(5)
    assert str(error.value) == (
        f"the state after round 5 is not in {tmp_path}; the server asked to go on from it; start a "
        "new run from the model of this one (a node keeps the states of its last 2 runs)"
    )


KILLED = """
import os, signal, sys
from pathlib import Path
from zk0_core.files import whole_file

with whole_file(Path(sys.argv[1]) / "round_7.safetensors") as temporary:
    temporary.write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_was_writing_goes_when_states_are_opened(tmp_path: Path) -> None:
    trained(tmp_path, (6, 0))
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    ClientState(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["round_6.safetensors"]


def test_the_run_before_the_current_one_is_the_one_that_was_used_last(tmp_path: Path) -> None:
    for run in ("a", "b", "a", "c"):
        begin_run(tmp_path / run)
        trained(tmp_path / run / "clients" / "left", (1, 0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]
