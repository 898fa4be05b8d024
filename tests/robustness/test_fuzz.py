"""Updates, schemas, orders, histories, plans and run files that were changed at random.

Each is either refused by one of our errors, in one line, or as usable as what it was made from.
Some hundred by default; `make long` tries ten thousand.
"""

import json
import math
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.robustness.mutations import changed, changed_record, garbled, text_of
from zk0_core.builtin.codec_bfloat16 import BFloat16Codec
from zk0_core.builtin.codec_float32 import Float32Codec
from zk0_core.builtin.codec_int8 import Int8Codec
from zk0_core.builtin.codec_topk import TopKCodec
from zk0_core.errors import UsageError, WireError, Zk0Error
from zk0_core.history import from_line, to_line
from zk0_core.lerobot.stats import episode_sums, lerobot_stats
from zk0_core.plan import PluginChoice
from zk0_core.registry import Registry
from zk0_core.resolve import resolve_plan
from zk0_core.runfile import plan_from_json, plan_to_json, settings_from_toml
from zk0_core.server.admission import LARGEST, Asked, open_reply
from zk0_core.server.envelope import check_envelope
from zk0_core.server.exchange import Exchange, Reply
from zk0_core.server.preflight import call_roll, check_alike, pooled_statistics
from zk0_core.tensors import Tensors
from zk0_core.testing import examples
from zk0_core.testing.loopback import round_order
from zk0_core.wire.orders import (
    MOST_BATCH,
    MOST_RATE,
    MOST_STEPS,
    RoundOrder,
    RoundReport,
    SchemaReport,
)
from zk0_core.wire.packing import from_record, pack, tensors_from, to_record
from zk0_core.wire.spool import read_record, write_record

MOST_MEMORY = 64 * 2**20
"""Bytes that nothing of what is tried here may need at once."""

PARAMS: Tensors = examples.tensors()
CODECS = (Float32Codec(), BFloat16Codec(), Int8Codec(), TopKCodec(0.3))
ORDER = attrs.evolve(
    round_order(PluginChoice("strategy", "fedprox", {"mu": 0.01})),
    round=3,
    client="ann",
    nonce="5eed",
)
REPORT = RoundReport(
    run=ORDER.run,
    round=3,
    client="ann",
    nonce="5eed",
    dataset="tiny:",
    examples=10,
    steps=ORDER.local_steps,
    policy_loss=0.5,
    prox_loss=0.1,
    loss=0.6,
    grad_norm=1.0,
    lr=1e-3,
    mu=0.01,
    seconds=1.0,
    seconds_data=0.1,
    seconds_compute=0.9,
)


def refused(problem: Zk0Error) -> None:
    """Check that what was wrong is said, in one line and at reasonable length.

    What is the user's own may have lines: the command makes one of them.
    """
    text = str(problem)
    assert text
    assert isinstance(problem, UsageError) or "\n" not in text
    assert len(text) < 10_000


def try_update(draw: Any) -> None:
    codec = draw(st.sampled_from(CODECS))
    record = to_record(REPORT, update=pack(codec.encode(PARAMS)), extra=pack({}))
    record = changed_record(draw, record)
    asked = Asked(ORDER, PARAMS, codec, frames=12)
    try:
        check_envelope(record, 10**6)
        if draw(st.booleans()):
            with tempfile.TemporaryDirectory() as folder:
                record = read_record(write_record(Path(folder) / "ann.spool", record))
        report, update = open_reply(Reply("ann", record), asked)
    except WireError as problem:
        refused(problem)
        return
    assert (report.run, report.round, report.nonce) == (ORDER.run, 3, "5eed")
    assert 1 <= update.examples <= 12
    assert update.client == "ann"
    assert {n: a.shape for n, a in update.delta.items()} == {n: a.shape for n, a in PARAMS.items()}
    for array in update.delta.values():
        assert array.dtype == np.float32
        assert (np.abs(array) <= LARGEST).all()
    for value in attrs.asdict(report).values():
        assert not isinstance(value, float) or abs(value) <= LARGEST


SCHEMA = SchemaReport(
    client="ann",
    dataset="tiny:",
    schema=examples.dataset().schema,
    statistics=episode_sums(examples.dataset(), examples.dataset().episodes),
    episodes=tuple(examples.dataset().episodes),
    frames=len(examples.dataset().state),
)


def try_schema(draw: Any) -> None:
    """What a client says of its data must not end the run of the others that are there."""
    record = changed_record(draw, to_record(SCHEMA, extra=pack({})))
    try:
        (report,) = preflight(Reply("1", record))
        check_alike([attrs.evolve(SCHEMA, client="bob"), report])
    except Zk0Error as problem:
        refused(problem)
        return
    pooled = pooled_statistics([SCHEMA, report])
    assert sorted(pooled) == ["action", "observation.state"]
    for stats in lerobot_stats(pooled, cameras=()).values():
        assert all(np.isfinite(values).all() for values in stats.values())


def preflight(reply: Reply) -> tuple[SchemaReport, ...]:
    """Return what the server makes of the answer of one node."""

    class Answered(Exchange):
        def nodes(self, expected: int) -> list[int]:
            return [1]

        def ask(self, *arguments: Any, **named: Any) -> Iterator[Reply]:
            yield reply

    exchange = Answered(None, Path())  # type: ignore[arg-type]  # nothing is sent
    return call_roll(exchange, ORDER.recipe, expected=1).reports


def try_order(draw: Any) -> None:
    record = to_record(ORDER, params=pack(Float32Codec().encode(PARAMS)), extra=pack({}))
    record = changed_record(draw, record)
    try:
        order = from_record(record, RoundOrder)
        params = Float32Codec().decode(tensors_from(record, "params", "the server"), like=PARAMS)
    except WireError as problem:
        refused(problem)
        return
    assert 1 <= order.local_steps <= MOST_STEPS
    assert 1 <= order.recipe.batch_size <= MOST_BATCH
    assert min(order.round, order.accepted_round, order.recipe.seed) >= 0
    for span in (order.lr, order.mu):
        assert 0 <= min(span.hi, span.lo) <= max(span.hi, span.lo) <= MOST_RATE
        assert math.isfinite(span.at(0, order.local_steps))
    assert sorted(params) == sorted(PARAMS)


def try_history(draw: Any) -> None:
    record = draw(st.sampled_from(examples.history().rounds))
    text = text_of(draw, json.loads(to_line(record)))
    try:
        found = from_line(text)
    except ValueError as problem:
        assert str(problem)
        return
    assert from_line(to_line(found)) == found


def try_plan(draw: Any) -> None:
    text = text_of(draw, json.loads(plan_to_json(examples.plan())))
    try:
        plan = plan_from_json(text)
    except UsageError as problem:
        refused(problem)
        return
    assert plan_from_json(plan_to_json(plan)) == plan
    assert min(plan.rounds, plan.local_steps, plan.batch_size, plan.min_updates) >= 1


RUN_FILE = """\
rounds = 10
local_steps = 100
batch_size = 8
lr = 1e-3
quarantine_after = 3
reporters = []

[policy]
name = "smolvla-tiny"

[strategy]
name = "fedprox"
mu = 0.01
personal = ["action_out_proj.*"]

[[schedulers]]
name = "warm-restarts"
t_0 = 10

[[clients]]
name = "left-desk"
dataset = "local:/data/left?eval_episodes=2"
epsilon = 8.0

[[clients]]
dataset = "local:/data/right"
rename = { "observation.images.side" = "observation.images.top" }

[wire]
codec = "bfloat16"
"""


def try_run_file(draw: Any) -> None:
    import tomli
    import tomli_w

    if draw(st.booleans()):
        text = garbled(draw, RUN_FILE.encode()).decode("utf-8", "replace")
    else:
        try:
            text = tomli_w.dumps(changed(draw, tomli.loads(RUN_FILE)))
        except (TypeError, ValueError):  # what TOML has no word for
            return
    try:
        plan = resolve_plan(settings_from_toml(text, "run.toml"), registry())
    except UsageError as problem:
        refused(problem)
        return
    assert plan_from_json(plan_to_json(plan)) == plan


_registry: list[Registry] = []


def registry() -> Registry:
    if not _registry:
        _registry.append(Registry.discover())
    return _registry[0]


TARGETS = (try_update, try_schema, try_order, try_history, try_plan, try_run_file)


@pytest.mark.parametrize(
    "count", [40, pytest.param(2000, marks=pytest.mark.long)], ids=["quick", "many"]
)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_what_was_changed_is_refused_or_usable(target: Callable[[Any], None], count: int) -> None:
    def attempts(count: int) -> None:
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def attempt(data: Any) -> None:
            target(data.draw)

        attempt()

    registry()
    attempts(20)  # whatever is imported or made once
    before = most_memory()
    attempts(count)
    assert most_memory() - before < MOST_MEMORY


def most_memory() -> int:
    """Return the most bytes that this process has held at a time."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
