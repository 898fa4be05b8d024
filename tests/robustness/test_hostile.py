"""Four clients, one of which sends what it should not: the run ends, names it, and learns."""

import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, RecordDict

from zk0_core.errors import RoundError, WireError
from zk0_core.history import History, Refusal, RoundRecord
from zk0_core.outliers import outliers
from zk0_core.plan import PluginChoice
from zk0_core.registry import Registry
from zk0_core.server.comparison import Comparison
from zk0_core.server.envelope import check_envelope, most_bytes
from zk0_core.server.quarantine import outside, quarantined
from zk0_core.tensors import Tensors, fingerprint
from zk0_core.transforms import NormClip, server_transforms
from zk0_core.wire.npy import read_array
from zk0_core.wire.orders import MOST_TEXT, RoundReport
from zk0_core.wire.packing import MOST_SHOWN, from_record, pack, tensors_from, to_record

TARGETS = 1 + 0.1 * np.random.default_rng(1).standard_normal((4, 4))
CLIENTS = ("evil", "left", "mid", "right")
"""The target of each client's quadratic; that of `evil` is as good as the others'."""
ROUNDS = 10

NOISE = 0.5
"""Seen as linear regressions on inputs of covariance 1, with so much noise on what is measured, the
quadratics' losses are ½ (‖w − b‖² + NOISE²)."""

Changed = Callable[[Tensors], Tensors]


def with_update(change: Changed) -> Callable[[RecordDict], RecordDict]:
    """Return what sends a changed update, with the hash of what is sent."""

    def forge(content: RecordDict) -> RecordDict:
        report = from_record(content, RoundReport)
        update = change(tensors_from(content, "update", report.client))
        return to_record(report, update=pack(update), extra=pack({}))

    return forge


def each(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[RecordDict], RecordDict]:
    return with_update(lambda update: {name: function(array) for name, array in update.items()})


def first(value: float) -> Callable[[RecordDict], RecordDict]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[0] = value
        return array

    return each(change)


def replay() -> Callable[[RecordDict], RecordDict]:
    """Return what answers every order with the first answer."""
    kept: list[RecordDict] = []

    def forge(content: RecordDict) -> RecordDict:
        kept.append(content)
        return kept[0]

    return forge


def claiming(gigabytes: int) -> Array:
    """Return an array whose header promises so much, and which has three values."""
    file = io.BytesIO()
    shape = (gigabytes * 2**28,)
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    return Array("float32", shape, "numpy.ndarray", file.getvalue() + b"\0" * 12)


def claim(content: RecordDict) -> RecordDict:
    content["update"] = ArrayRecord({"body.w": claiming(4)})
    return content


def flood(content: RecordDict) -> RecordDict:
    content["update"]["body.w"] = Array(np.zeros(2**20, np.float32))
    return content


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
    "claim": (lambda: claim, "body.w claims 4294967296 bytes of values and holds 12"),
    "flood": (
        lambda: flood,
        # 12 bytes for each of 8 values, 4096 for each of 2 tensors, 2²⁰ for the header.
        "at most 1056864 are taken; see max_update_mb of the run file",
    ),
    "empty": (lambda: lambda content: RecordDict(), "malformed RoundReport: it has no header"),
}


@pytest.fixture
def run(federate, quadratic) -> Callable[..., Any]:
    """Run ten rounds of three honest clients, and of one more that sends what `forge` makes."""

    def run(strategy: str = "fedavg", forge: Any = None, **options: Any) -> Any:
        problems = {
            name: quadratic([1.0] * 4, target.tolist())
            for name, target in zip(CLIENTS, TARGETS, strict=True)
            if name != "evil" or forge
        }
        clients = federate(
            problems, strategy, options, local_steps=3, lr=0.05, optimizer_state="reset"
        )
        if forge:
            clients.grid.forge["evil"] = forge
        for _ in range(ROUNDS):
            clients.round()
        return clients

    return run


ENDS: dict[tuple[str, str], tuple[float, str]] = {}


@pytest.fixture
def without(run) -> Callable[..., tuple[float, str]]:
    """Run without the hostile client, once per strategy: the loss, and the parameters' hash."""

    def without(strategy: str = "fedavg", **options: Any) -> tuple[float, str]:
        key = strategy, str(options)
        if key not in ENDS:
            clients = run(strategy, **options)
            ENDS[key] = loss(clients), fingerprint(clients.params)
        return ENDS[key]

    return without


def loss(clients: Any) -> float:
    """Return the honest clients' mean loss."""
    losses = [clients.problems[name].loss(clients.params) for name in CLIENTS[1:]]
    return float(np.mean(losses)) + NOISE**2 / 2


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


def test_a_reason_is_one_short_line_whatever_was_sent(run) -> None:
    """A name that would be kept in every round's record, and be a line of the log by itself."""
    name = "w\n2026-01-01 00:00:00 INFO    server: all is well " + "w" * 10_000

    def forge(content: RecordDict) -> RecordDict:
        content["update"][name] = Array(np.zeros(1, np.complex64))
        return content

    reason = run("fedavg", forge).history.rounds[0].refused[0].reason
    assert reason.startswith("w 2026-01-01 00:00:00 INFO server: all is well www")
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
            changed = Array(np.full(4, 0.5, np.float32))
            content[group] = ArrayRecord({**content[group], "body.w": changed})
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


LARGE, FLIP = each(lambda a: a * np.float32(1000)), each(lambda a: -a)


@pytest.mark.parametrize(
    ("strategy", "options", "forge"),
    [
        ("fedmedian", {}, LARGE),
        ("fedmedian", {}, FLIP),
        ("norm-clip", {}, LARGE),
        ("fedavg", {"norm_clip": 0.45}, LARGE),
    ],
    ids=["fedmedian-large", "fedmedian-flip", "norm-clip-large", "option-large"],
)
def test_a_robust_strategy_ends_near_where_it_would_have(
    run, without, strategy, options, forge
) -> None:
    clients = run(strategy, forge, **options)
    assert loss(clients) < 1.1 * without(strategy, **options)[0]
    found = outliers(clients.history)
    assert len(found) == 1
    if forge is LARGE:
        # Three steps of AdamW of 0.05 each way are as long for everyone, until the end is near.
        assert re.fullmatch(
            r"evil: updates \d{3,4} times as long as the others' in 10 of .*", found[0]
        )
    else:
        assert found[0].startswith("evil: updates point away from where the others go in ")


def test_fedavg_is_led_astray_by_both(run, without) -> None:
    for forge in (LARGE, FLIP):
        assert loss(run("fedavg", forge)) > 1.5 * without()[0]


def test_a_bound_on_norms_holds_no_variate(run, without) -> None:
    """What `scaffold` sends beside the update corrects everybody's gradients, at any length."""

    def forge(content: RecordDict) -> RecordDict:
        variate = tensors_from(content, "extra", "evil")
        turned = {name: array * np.float32(-1000) for name, array in variate.items()}
        update = tensors_from(content, "update", "evil")
        return to_record(from_record(content, RoundReport), update=pack(update), extra=pack(turned))

    clients = run("scaffold", forge, norm_clip=0.45)
    assert loss(clients) > 1.5 * without("scaffold", norm_clip=0.45)[0]


def test_honest_clients_do_not_stand_out(run) -> None:
    assert outliers(run("fedavg").history) == []


def test_the_record_has_the_norm_and_the_cosine_of_each_update(run) -> None:
    """Sign-like first steps: three of 0.05 towards 1 in 8 values, so that ‖Δ‖ = 0.15 √8 = 0.424."""
    first_round = run("fedavg", FLIP).history.rounds[1 - 1]
    assert [entry.client for entry in first_round.clients] == list(CLIENTS)
    for entry in first_round.clients:
        assert entry.update_norm == pytest.approx(0.15 * 8**0.5, rel=0.01)
    cosines = [entry.cosine for entry in first_round.clients]
    # All alike but for the sign: −1 to the mean of the others, 1 to that of two and one against.
    assert cosines == pytest.approx([-1.0, 1.0, 1.0, 1.0], abs=0.01)


# What decides, by itself.


def refusals(*rounds: Sequence[str], failed: bool = False) -> History:
    return History(
        tuple(
            RoundRecord(
                round=number, refused=tuple(Refusal(client, "NaN", failed) for client in clients)
            )
            for number, clients in enumerate(rounds)
        )
    )


def test_quarantine_counts_refusals_and_no_failures() -> None:
    history = refusals(["a"], ["a", "b"], [], ["b", "a"])
    assert quarantined(history, 2) == ("a", "b")
    assert quarantined(history, 3) == ("a",)
    assert quarantined(history, 4) == ()
    assert quarantined(history, 0) == ()
    assert quarantined(refusals(["a"], ["a"], ["a"], failed=True), 1) == ()


def test_three_rounds_without_enough_updates_end_the_run(federate, quadratic) -> None:
    """One of three is refused for good after two rounds; a third is needed."""
    problems = {name: quadratic([1.0], [1.0]) for name in ("ann", "bob", "evil")}
    clients = federate(problems, "fedavg", min_updates=3, quarantine_after=2)
    clients.grid.forge["evil"] = first(np.nan)
    for _ in range(2):
        assert not clients.round().counted
    with pytest.raises(RoundError) as ended:
        clients.round()
    assert str(ended.value) == (
        "3 rounds in a row had too few usable updates (round 3 had 2 of the 3 that it needs; evil "
        "is not asked any more)"
    )


def test_nobody_left_to_ask_ends_the_run() -> None:
    assert outside(["a", "b"], ("a",)) == ["b"]
    with pytest.raises(RoundError) as ended:
        outside(["a", "b"], ("a", "b"))
    assert str(ended.value) == (
        "no client is left to be asked: a, b sent what could not be used too often; see "
        "history.jsonl, or set quarantine_after = 0 in the run file"
    )


def test_nobody_there_ends_the_run_too() -> None:
    with pytest.raises(RoundError) as ended:
        outside([], ())
    assert str(ended.value) == (
        "no client is left to be asked: who was there has left, and who came since cannot take "
        "part; see logs/server.log"
    )


def test_a_sketch_is_exact_for_as_many_values_as_it_has_sums() -> None:
    """(3, 4) and (4, 3), weight 1 and 2, and (−1, 0): cosines by hand.

    To (3, 4): 2 (4, 3) + (−1, 0) = (7, 6): (21 + 24) / (5 √85) = 0.97619.
    To (4, 3): (3, 4) + (−1, 0) = (2, 4): (8 + 12) / (5 √20) = 0.89443.
    To (−1, 0): (3, 4) + 2 (4, 3) = (11, 10): −11 / √221 = −0.73994.
    """
    comparison = Comparison(seed=0)
    for client, (x, y), weight in (("a", (3, 4), 1), ("b", (4, 3), 2), ("c", (-1, 0), 1)):
        delta = {"x": np.array([x], np.float32), "y": np.array([[y]], np.float32)}
        comparison.add(client, delta, weight)
    found = comparison.cosines()
    assert found == pytest.approx({"a": 0.97619, "b": 0.89443, "c": -0.73994}, abs=1e-5)


def test_a_sketch_of_more_values_is_near() -> None:
    """Parts of 300,000 values that are common: cosine ½ between any two, 1/√3 · … to the mean.

    u_k = c + e_k with ‖c‖ = ‖e_k‖: u_1 · (u_2 + u_3) = 2, ‖u_1‖ = √2, ‖u_2 + u_3‖ = √6.
    """
    random = np.random.default_rng(0)
    common, *own = random.standard_normal((4, 3, 100_000)).astype(np.float32)
    comparison = Comparison(seed=0)
    for client, each_own in zip("abc", own, strict=True):
        comparison.add(client, {"w": common + each_own}, 1)
    for cosine in comparison.cosines().values():
        assert cosine == pytest.approx(2 / 12**0.5, abs=0.03)


def test_alone_there_is_nothing_to_compare() -> None:
    comparison = Comparison(seed=0)
    comparison.add("a", {"w": np.ones(3, np.float32)}, 1)
    assert comparison.cosines() == {"a": None}


def test_norm_clip_scales_what_is_longer() -> None:
    """(3, 4) is 5 long: clipped to 2.5 it is half as long; at 5 it is left as it is."""
    delta = {"x": np.array([3], np.float32), "y": np.array([[4]], np.float32)}
    halved = NormClip(2.5).apply(delta)
    assert [float(halved[name].item()) for name in ("x", "y")] == [1.5, 2.0]
    assert NormClip(5.0).apply(delta) is delta
    assert halved["y"].dtype == np.float32


def test_every_strategy_has_the_option_norm_clip() -> None:
    registry = Registry.discover()
    for name in registry.names("strategy"):
        assert registry.get("strategy", name).options().norm_clip is None, name
    assert server_transforms(PluginChoice("strategy", "fedadam", {"norm_clip": 2.0})) == (
        NormClip(2.0),
    )
    assert server_transforms(PluginChoice("strategy", "somebodys")) == ()


def test_a_client_that_fails_is_counted_as_such(run, without) -> None:
    clients = run("fedavg", lambda content: Error(2, "out of memory"))
    refused = [refusal for record in clients.history.rounds for refusal in record.refused]
    assert refused == [Refusal("evil", "client failed: out of memory", True)] * ROUNDS
    assert fingerprint(clients.params) == without()[1]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda record: record.__setitem__("more", ArrayRecord({"w": Array(np.zeros(1))})),
            "sent what nobody asked for: more",
        ),
        (
            lambda record: record.__setitem__("note", ConfigRecord({"a": "b"})),
            "sent what nobody asked for: note",
        ),
        (
            lambda record: record["header"].__setitem__("json", b"bytes"),
            "json of the header is no text",
        ),
        (lambda record: None, None),
    ],
)
def test_envelopes(change, text) -> None:
    record = RecordDict({"header": ConfigRecord({"type": "RoundReport", "json": "{}"})})
    record["update"] = ArrayRecord({"w": Array(np.zeros(2, np.float32))})
    change(record)
    if text is None:
        check_envelope(record, 10_000)
        return
    with pytest.raises(WireError, match=text):
        check_envelope(record, 10_000)


def test_the_limit_of_a_reply_is_an_option() -> None:
    params = {"w": np.zeros((2, 3), np.float32)}
    assert most_bytes(params, 1.5) == 1_500_000
    # 12 bytes for each of 6 values, 4096 for the tensor, 2²⁰ for the header.
    assert most_bytes(params, None) == 72 + 4096 + 2**20


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (claiming(4), "w claims 4294967296 bytes of values and holds 12"),
        (Array("float32", (3,), "numpy.ndarray", b"abc"), "w is no array of NumPy's: "),
        (Array("float32", (3,), "pickle", b""), "w is no array of NumPy's: serialized as 'pickle'"),
        (Array(np.array(["text"])), "w has dtype <U4; only numbers travel"),
        (
            Array("float32", (1, 3), "numpy.ndarray", Array(np.zeros(3, np.float32)).data),
            r"w is announced as float32 \(1, 3\) and is float32 \(3,\)",
        ),
    ],
)
def test_arrays_that_are_not_what_they_say(array, text) -> None:
    with pytest.raises(WireError, match=text):
        read_array("w", array)


def test_an_array_of_objects_is_never_read() -> None:
    file = io.BytesIO()
    np.save(file, np.array([object], dtype=object), allow_pickle=True)
    with pytest.raises(WireError, match="w has dtype object; only numbers travel"):
        read_array("w", Array("object", (1,), "numpy.ndarray", file.getvalue()))
