"""What happened in each round: what schedules read, reporters show and a resumed run needs."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class ClientRecord:
    """One client's part in one round, as used and as reported."""

    client: str
    dataset: str
    policy_loss: float
    prox_loss: float
    loss: float
    grad_norm: float
    """Mean over the local steps of the gradient norm before clipping."""
    lr: float
    """Learning rate at the last local step."""
    lr_span: tuple[float, float, float, float]
    mu: float
    boost: float = 1.0
    """This client's lr relative to the chain's common value."""
    steps: int
    examples: int
    update_norm: float
    """Euclidean norm of the update, as the server decoded it."""
    bytes_up: int
    bytes_down: int
    seconds: float
    seconds_data: float
    seconds_compute: float
    start_loss: float | None = None
    """Loss before training; None unless the strategy asks for it."""
    cosine: float | None = None
    """Between the update and the mean of the others'; None when there was nothing to compare."""
    epsilon: float | None = None
    """What the client has spent of its privacy so far; None where it adds no noise."""


@attrs.frozen
class Refusal:
    """A client whose update did not count, or that could not take part, and why."""

    client: str
    reason: str
    failed: bool = False
    """Whether the client failed or was not heard of, so that there was no update to refuse."""

    def __str__(self) -> str:
        """Return who it is about, and why."""
        return f"{self.client}: {self.reason}"


@attrs.frozen(kw_only=True)
class RoundRecord:
    """One round; round 0 is the evaluation of the untrained start."""

    round: int
    policy_loss: float | None = None
    """Mean over evaluation datasets of the server's policy loss; None when not evaluated."""
    success_rate: float | None = None
    datasets: Sequence[dict[str, Any]] = ()
    """Figures per evaluation dataset, as its evaluators gave them."""
    clients: Sequence[ClientRecord] = ()
    refused: Sequence[Refusal] = ()
    quarantined: Sequence[str] = ()
    """Clients that were not asked: too many of their updates had been refused."""
    counted: bool = True
    """Whether enough updates came in for the round to change the model."""
    lr: float | None = None
    mu: float | None = None
    params_hash: str = ""
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float = 0.0

    def mean_client(self, figure: str) -> float | None:
        """Return the mean of a figure over this round's clients; None without clients."""
        if not self.clients:
            return None
        values = [float(getattr(client, figure)) for client in self.clients]
        return sum(values) / len(values)

    def std_client_loss(self) -> float | None:
        """Return the population standard deviation of the clients' policy losses."""
        mean = self.mean_client("policy_loss")
        if mean is None:
            return None
        squares = sum((client.policy_loss - mean) ** 2 for client in self.clients)
        return float((squares / len(self.clients)) ** 0.5)


@attrs.frozen
class History:
    """The rounds so far, in order."""

    rounds: tuple[RoundRecord, ...] = ()

    def with_round(self, record: RoundRecord) -> "History":
        """Return the history that ends with `record`."""
        return History((*self.rounds, record))

    def server_losses(self) -> list[float]:
        """Return the server's policy losses, oldest first; rounds not evaluated are left out."""
        return [record.policy_loss for record in self.rounds if record.policy_loss is not None]

    @functools.cached_property
    def last_client_losses(self) -> Mapping[str, float]:
        """Each client's policy loss from the last round it took part in."""
        return {
            client.client: client.policy_loss for record in self.rounds for client in record.clients
        }

    def accepted_round(self, client: str) -> int:
        """Return the round of `client`'s last accepted update; 0 for none."""
        for record in reversed(self.rounds):
            if record.counted and any(entry.client == client for entry in record.clients):
                return record.round
        return 0


def to_line(record: RoundRecord) -> str:
    """Return `record` as one line of JSON."""
    return json.dumps(attrs.asdict(record), allow_nan=False)


def from_line(line: str | bytes) -> RoundRecord:
    """Return the record that `to_line` wrote.

    Raises:
        ValueError: if it is none; the text says what is wrong with it.
    """
    from zk0_core.strict import structured

    try:
        record = structured(json.loads(line), RoundRecord)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return attrs.evolve(
        record,
        datasets=tuple(record.datasets),
        clients=tuple(record.clients),
        refused=tuple(record.refused),
        quarantined=tuple(record.quarantined),
    )
