"""Histories made of losses."""

from collections.abc import Callable, Mapping

import pytest

from zk0_core.history import ClientRecord, History, RoundRecord


def client_record(client: str, loss: float) -> ClientRecord:
    return ClientRecord(
        client=client,
        dataset=f"local:/data/{client}",
        policy_loss=loss,
        prox_loss=0.0,
        loss=loss,
        grad_norm=1.0,
        lr=1.0,
        lr_span=(1.0, 1.0, 0.0, 0.0),
        mu=0.01,
        steps=1,
        examples=1,
        update_norm=1.0,
        bytes_up=1,
        bytes_down=1,
        seconds=1.0,
        seconds_data=0.0,
        seconds_compute=1.0,
    )


@pytest.fixture
def evaluated() -> Callable[..., History]:
    """Makes the history of rounds 0, 1, …; a loss of None is a round that wasn't evaluated."""

    def evaluated(*losses: float | None) -> History:
        return History(tuple(RoundRecord(round=r, policy_loss=x) for r, x in enumerate(losses)))

    return evaluated


@pytest.fixture
def trained() -> Callable[..., History]:
    """Makes the history of rounds 0, 1, … with the losses of the clients that took part."""

    def trained(*rounds: Mapping[str, float]) -> History:
        records = [
            RoundRecord(round=r, clients=tuple(client_record(c, x) for c, x in losses.items()))
            for r, losses in enumerate(({}, *rounds))
        ]
        return History(tuple(records))

    return trained
