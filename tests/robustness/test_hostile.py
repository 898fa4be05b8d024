"""Four clients, one of which sends what it should not: the run ends, names it, and learns."""

import json
from collections.abc import Callable, Iterable

import attrs
import numpy as np
import pytest
from flwr.app import Error, Message, RecordDict

from tests.robustness.forging import each, first, replay, with_update
from tests.robustness.four_clients import CLIENTS, ROUNDS, TARGETS, loss
from tests.wire.by_hand import entry, file_of, sending
from zk0_core.history import Refusal
from zk0_core.tensors import fingerprint
from zk0_core.wire.orders import MOST_TEXT, RoundReport
from zk0_core.wire.packing import MOST_SHOWN, from_record, pack, tensors_from, to_record

REFUSED = {
    "nan": (lambda: first(np.nan), "NaN or infinity in body.w"),
    "inf": (lambda: first(-np.inf), "NaN or infinity in body.w"),
    "shape": (lambda: each(lambda a: a[None]), "body.w has shape (1, 4), expected (4,)"),
    "dtype": (lambda: each(lambda a: a.astype("float64")), "body.w is float64, expected float32"),
    "names": (
        lambda: with_update(lambda u: {"body.w": u["body.w"]}),
        "tensors missing: ['head.w'], unknown: none",
    ),
    "huge": (
        lambda: first(1e30),
        "a value of 1e+30 in body.w; none may exceed 1e+18",
    ),
    "claim": (
        lambda: (
            lambda content: sending(content, file_of({"body.w": entry([2**30], 0, 12)}, bytes(12)))
        ),
        "body.w claims 4294967296 bytes of values and has 12",
    ),
    "twice": (
        lambda: (
            lambda content: sending(
                content, *2 * [file_of({"body.w": entry([4], 0, 16)}, bytes(16))]
            )
        ),
        "body.w is there twice",
    ),
    "flood": (
        lambda: with_update(lambda u: {**u, "body.w": np.zeros(2**20, np.float32)}),
        # 12 bytes for each of 8 values, 4096 for each of 2 tensors, 2²⁰ for the header.
        "at most 1056864 are taken; see max_update_mb of the run file",
    ),
    "empty": (lambda: lambda content: RecordDict(), "malformed RoundReport: it has no header"),
}


@pytest.mark.parametrize("attack", REFUSED)
def test_what_cannot_be_used_is_refused_and_leaves_no_trace(run, without, attack) -> None:
    make, reason = REFUSED[attack]
    clients = run("fedavg", make())
    refusals = [refusal for record in clients.history.rounds for refusal in record.refused]
    assert [(refusal.client, refusal.failed) for refusal in refusals] == [("evil", False)] * 3
    assert all(refusal.reason.endswith(reason) for refusal in refusals), refusals[0]
    assert [len(record.clients) for record in clients.history.rounds] == [3] * ROUNDS
    assert clients.history.rounds[3].quarantined == ("evil",)
    # Three rounds in which it is refused and seven without it are ten without, to the bit.
    assert fingerprint(clients.params) == without()[1]


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("w\n2026-01-01 all is well ", r"malformed header of a safetensors file: 'w\n2026-01-01 a"),
        ("w  w", "w w"),
    ],
    ids=["lines", "spaces"],
)
def test_a_reason_is_one_short_line_whatever_was_sent(run, name: str, start: str) -> None:
    """A name that would be kept in every round's record, and be a line of the log by itself."""
    file = file_of({name + "w" * 10_000: entry([1], 0, 8, "C64")}, bytes(8))
    clients = run("fedavg", lambda content: sending(content, file))
    reason = clients.history.rounds[0].refused[0].reason
    assert reason.startswith(start) and "\n" not in reason
    assert len(reason) <= MOST_SHOWN


def test_a_figure_that_nobody_asked_for_spoils_no_other_update(run) -> None:
    def forge(content: RecordDict) -> RecordDict:
        header = json.loads(str(content["header"]["json"]))
        content["header"]["json"] = json.dumps({**header, "accuracy": 1.0})
        return content

    record = run("fedmedian", forge).history.rounds[0]
    assert record.refused[0].reason.startswith(
        "malformed RoundReport: extra fields found (accuracy)"
    )
    assert len(record.clients) == 3


def test_an_address_is_no_longer_than_one_may_be(run) -> None:
    """Every round's record repeats it."""

    def forge(content: RecordDict) -> RecordDict:
        header = json.loads(str(content["header"]["json"]))
        content["header"]["json"] = json.dumps({**header, "dataset": "x" * (MOST_TEXT + 1)})
        return content

    reason = run("fedavg", forge).history.rounds[0].refused[0].reason
    assert reason.startswith("malformed RoundReport: dataset must be at most 4096 characters long,")
    assert len(reason) <= MOST_SHOWN


def test_a_replayed_update_is_refused_by_its_round(run, without) -> None:
    clients = run("fedavg", replay())
    refused = [refusal.reason for record in clients.history.rounds for refusal in record.refused]
    assert refused == [f"report is for round 1, the order was for {round}" for round in (2, 3, 4)]
    assert loss(clients) < 1.1 * without()[0]


def test_an_answer_to_another_order_of_the_same_round_is_refused_by_its_nonce(run) -> None:
    def forge(content: RecordDict) -> RecordDict:
        report = attrs.evolve(from_record(content, RoundReport), nonce="of an earlier attempt")
        update = tensors_from(content, "update", "evil")
        return to_record(report, update=pack(update), extra=pack({}))

    reason = run("fedavg", forge).history.rounds[0].refused[0].reason
    assert reason == "report answers another order of round 1: its nonce is not this one's"


def test_what_changed_on_the_way_is_dropped_in_either_direction(run, federate, quadratic) -> None:
    def other(group: str) -> Callable[[RecordDict], RecordDict]:
        def change(content: RecordDict) -> RecordDict:
            content[group] = pack({"body.w": np.full(4, 0.5, np.float32)}).arrays
            return content

        return change

    (up, *_) = run("fedavg", other("update")).history.rounds[0].refused
    assert up.reason.startswith("hash mismatch in 'update' from evil: sent ")
    assert not up.failed

    problems = {name: quadratic([1.0] * 4, TARGETS[0].tolist()) for name in CLIENTS}
    clients = federate(problems, "fedavg")
    push = clients.grid.push_messages

    def push_changed(messages: Iterable[Message]) -> Iterable[str]:
        first, *others = messages
        other("params")(first.content)
        return push([first, *others])

    clients.grid.push_messages = push_changed
    record = clients.round()
    (down,) = record.refused
    assert (down.client, down.failed) == ("evil", True)
    assert down.reason.startswith("hash mismatch in 'params' from the server: sent ")
    assert [entry.client for entry in record.clients] == ["left", "mid", "right"]


def test_a_client_that_fails_is_counted_as_such(run, without) -> None:
    clients = run("fedavg", lambda content: Error(2, "out of memory"))
    refused = [refusal for record in clients.history.rounds for refusal in record.refused]
    assert refused == [Refusal("evil", "client failed: out of memory", True)] * ROUNDS
    assert fingerprint(clients.params) == without()[1]
