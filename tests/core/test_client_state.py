"""What a client keeps from round to round, and what it lets go of."""

from pathlib import Path

import numpy as np
import pytest

from zk0_core.client.state import ClientState
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
        f"the state after round 5 is not in {tmp_path}; the server asked to go on from it"
    )
