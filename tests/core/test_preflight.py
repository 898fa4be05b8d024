"""Who is there before the first round."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from zk0_core.engines._flower import stamp
from zk0_core.engines.apps import recipe_of
from zk0_core.engines.grid import FIRST_NODE, OneRunGrid
from zk0_core.engines.local import LocalGrid
from zk0_core.engines.workers import Workers
from zk0_core.errors import RoundError, WireError
from zk0_core.history import Refusal
from zk0_core.lerobot.stats import episode_sums
from zk0_core.server.claims import check_claims
from zk0_core.server.exchange import ClientFailed, Exchange, Patience, Reply
from zk0_core.server.preflight import Roster, call_roll
from zk0_core.testing import examples
from zk0_core.wire.orders import MOST_TEXT, ClientError, SchemaReport
from zk0_core.wire.packing import to_record


def test_clients_that_do_not_come_are_counted(tmp_path: Path) -> None:
    workers = Workers(1, threads=1)
    exchange = Exchange(LocalGrid([], tmp_path, workers), tmp_path, Patience(connect=0.1))
    with pytest.raises(RoundError, match="0 of 2 clients are connected; start the others"):
        call_roll(exchange, recipe=None, expected=2)  # type: ignore[arg-type]  # never sent
    workers.close()


def test_why_a_client_cannot_take_part_is_one_line_of_a_length_to_be_read(tmp_path: Path) -> None:
    reason = "no room\n2026-01-01 INFO server: all is well " + "x" * 10_000

    class Answered(Exchange):
        def nodes(self, expected):
            return [1]

        def ask(self, message_type, contents, nodes, most_bytes=0):
            yield Reply("1", to_record(ClientError(client="ann", reason=reason, usage=False)))

    workers = Workers(1, threads=1)
    exchange = Answered(LocalGrid([], tmp_path, workers), tmp_path)
    with pytest.raises(
        RoundError, match="no room 2026-01-01 INFO server: all is well xxx"
    ) as ended:
        call_roll(exchange, recipe_of(examples.plan()), expected=1)
    assert len(str(ended.value)) <= MOST_TEXT
    workers.close()


def test_a_node_that_has_just_left_takes_no_name_of_its_own_choice(tmp_path: Path) -> None:
    """Node 1 was there a moment ago; what it says now is not asked for."""
    asked: list[str] = []

    class Answered(Exchange):
        def nodes(self, expected):
            return [1, 2]

        def ask(self, message_type, contents, nodes, most_bytes=0):
            asked.extend(contents)
            yield Reply("2", to_record(attrs.evolve(claims({}, {}), client="bob")))

    patience = Patience(without=True)
    exchange = Answered(None, tmp_path, patience, approved=lambda grid: {2: "bob"})
    roster = call_roll(exchange, recipe_of(examples.plan()), expected=2)
    assert asked == ["2"]
    assert roster.nodes == {"bob": 2}


OTHER_HALF = "client half of strategy 'fedprox': this node has version 1, the server 2"
OTHER_APP = "client failed: the server sent another app than this node's own"


class Mixed(Exchange):
    """Ann trains, bob's zk0 is older, and the app of eve's is another; by their approved names."""

    def __init__(self, folder: Path, there: tuple[int, ...] = (1, 2, 3)) -> None:
        names = {1: "ann", 2: "bob", 3: "eve"}
        patience = Patience(without=True, connect=0.0)
        super().__init__(None, folder, patience, approved=lambda grid: names)  # type: ignore[arg-type]
        self._there = there

    def nodes(self, expected):
        return list(self._there)

    def ask(self, message_type, contents, nodes, most_bytes=0):
        answers = {
            "1": (to_record(claims({}, {})), None),
            # What it calls itself is of no account.
            "2": (to_record(ClientError(client="ann", reason=OTHER_HALF, usage=True)), None),
            "3": (None, ClientFailed(OTHER_APP)),
        }
        yield from (Reply(node, *answers[node]) for node in sorted(contents))


BOB = Refusal("bob", OTHER_HALF, failed=True)
EVE = Refusal("eve", f"before training, {OTHER_APP}", failed=True)


def test_who_refuses_is_known_by_the_approved_name(tmp_path: Path, logged: list[str]) -> None:
    recipe = recipe_of(examples.plan())
    roster = call_roll(Mixed(tmp_path), recipe, expected=3)
    assert roster.nodes == {"ann": 1}
    assert roster.refused == (BOB, EVE)
    assert logged == [
        f"bob does not take part: {OTHER_HALF}",
        f"eve does not take part: before training, {OTHER_APP}",
    ]
    # Who cannot take part is not asked again, and who gave no answer is.
    later = call_roll(Mixed(tmp_path), recipe, expected=1, before=roster)
    assert (later.unfit, later.refused) == ({2: BOB}, (EVE,))
    left = later.without("ann", "its state has 6 joints\n")
    assert left.refused == (EVE, Refusal("ann", "its state has 6 joints", failed=True))


def test_when_all_refuse_the_run_says_who(tmp_path: Path) -> None:
    with pytest.raises(RoundError) as ended:
        call_roll(Mixed(tmp_path, there=(2, 3)), recipe_of(examples.plan()), expected=2)
    assert str(ended.value) == (
        f"no client can take part: bob: {OTHER_HALF}; eve: before training, {OTHER_APP}"
    )


def test_a_newcomer_that_hangs_holds_a_round_up_no_longer_than_its_deadline(
    tmp_path: Path,
) -> None:
    class Silent(OneRunGrid):
        def push_messages(self, messages):
            return [stamp(message) for message in messages]

        def pull_messages(self, message_ids):
            return []

    patience = Patience(connect=0.0, round=0.01, without=True)
    exchange = Exchange(Silent(2), tmp_path, patience)
    there = Roster((claims({}, {}),), {"ann": FIRST_NODE})
    roster = call_roll(exchange, recipe_of(examples.plan()), expected=1, before=there)
    # It may answer another time: it is not unfit.
    assert (roster.names, roster.unfit) == (["ann"], {})
    with pytest.raises(RoundError) as ended:
        call_roll(exchange, recipe_of(examples.plan()), expected=1)
    late = "before training, no answer within 0 s"
    assert str(ended.value) == f"no client can take part: node 100: {late}; node 101: {late}"


def claims(schema: Mapping[str, Any], action: Mapping[str, Any]) -> SchemaReport:
    """Return what a client may say, but for fields of its schema and of the sums of its actions."""
    dataset = examples.dataset()
    statistics = episode_sums(dataset, dataset.episodes)
    return SchemaReport(
        client="ann",
        dataset="tiny:",
        schema=attrs.evolve(dataset.schema, **schema),
        statistics={**statistics, "action": attrs.evolve(statistics["action"], **action)},
        episodes=tuple(dataset.episodes),
        frames=15,
    )


@pytest.mark.parametrize(
    ("schema", "action", "text"),
    [
        ({"fps": 0}, {}, "fps is 0"),
        ({"robot": "x" * 201}, {}, "the robot or the format has more than 200 characters"),
        ({"tasks": ("x" * 4097,)}, {}, "it has 1 tasks, or one of more than 4096 characters"),
        (
            {"cameras": {"observation.images.top": (2**40, 1, 3)}},
            {},
            "pictures of observation.images.top are 1099511627776 × 1 × 3",
        ),
        (
            {"state": ("x",) * 1025},
            {},
            "observation.state has 1025 names, or one of more than 200 characters",
        ),
        ({}, {"count": 0}, "sums of action are not over frames of 4 joints"),
        ({}, {"mean": (0.0,)}, "sums of action are not over frames of 4 joints"),
        (
            {},
            {"m2": (1.0, -1.0, 1.0, 1.0)},
            "squares in action add up to what is below 0 or above 1e+36",
        ),
        ({}, {"max": (1.0, 1.0, 1.0, 2e18)}, "a value of action is beyond 1e+18"),
    ],
)
def test_what_no_dataset_is_like_is_refused(schema, action, text: str) -> None:
    check_claims(claims({}, {}))
    with pytest.raises(WireError) as refused:
        check_claims(claims(schema, action))
    assert str(refused.value) == f"the schema of client 'ann' cannot be: {text}"


def test_sums_are_of_state_and_action() -> None:
    report = claims({}, {})
    del report.statistics["action"]
    with pytest.raises(WireError, match=r"sums must be of observation\.state and action"):
        check_claims(report)
