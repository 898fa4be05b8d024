"""Who begins a run: all clients of a simulation, and of a federation those that fit."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from recordings import Recording, write_v3

from tests.logs import caught
from zk0_core.engines.apps import recipe_of
from zk0_core.engines.workers import Workers
from zk0_core.errors import DataError, RoundError
from zk0_core.lerobot.stats import episode_sums
from zk0_core.parts import open_dataset
from zk0_core.plan import ClientPlan, EvaluationPlan, PluginChoice
from zk0_core.server.exchange import Exchange, Patience, Reply
from zk0_core.server.gathering import Gathering
from zk0_core.server.model import ModelRef, read_facts, write_facts
from zk0_core.server.preflight import Roster, pooled_statistics
from zk0_core.testing import examples
from zk0_core.wire.orders import SchemaReport
from zk0_core.wire.packing import to_record

TOP, WRIST = examples.CAMERAS
SIDE = "observation.images.side"
PICTURE = (*examples.PICTURE, 3)
FEDERATION = Patience(without=True)
FASTER = (
    "client 'ann': fps is 30, client 'bob' has 10; one policy needs one rate: fps=10 in the "
    "address of client 'ann' takes one frame of 3"
)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    started = Workers(1, threads=1)
    yield started
    started.close()


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What the admin reads."""
    with caught("{level} {message}") as lines:
        yield lines


def report(client: str, **schema: Any) -> SchemaReport:
    dataset = examples.dataset()
    return SchemaReport(
        client=client,
        dataset=f"node:{client}",
        schema=attrs.evolve(dataset.schema, **{"fps": 10, **schema}),
        statistics=episode_sums(dataset, dataset.episodes),
        episodes=tuple(dataset.episodes),
        frames=15,
    )


class Answered(Exchange):
    """Clients that say of their data what they were given, node i the i-th."""

    def __init__(self, reports: Sequence[SchemaReport], patience: Patience) -> None:
        super().__init__(None, Path(), patience)  # type: ignore[arg-type]  # nothing is sent
        self.reports = list(reports)

    def nodes(self, expected: int) -> list[int]:
        return list(range(len(self.reports)))

    def ask(self, message_type: str, contents: Any, nodes: Any, most_bytes: int = 0) -> Any:
        for name in sorted(contents):
            yield Reply(name, to_record(self.reports[int(name)]))


def gathering(
    workers: Workers,
    folder: Path,
    reports: Sequence[SchemaReport],
    patience: Patience = FEDERATION,
    **plan: Any,
) -> Gathering:
    clients = tuple(ClientPlan(each.client, each.dataset) for each in reports)
    of = examples.plan(clients=clients, **plan)
    return Gathering(of, Answered(reports, patience), workers, folder / "start")


def reasons(roster: Roster) -> dict[int, str]:
    """Return why each node takes no part, as the records of the run have it."""
    assert all(each.failed for each in roster.refused)
    return {node: refusal.reason for node, refusal in roster.unfit.items()}


def test_one_at_another_rate_is_set_aside(
    workers: Workers, tmp_path: Path, logged: list[str]
) -> None:
    reports = [report("ann", fps=30), report("bob"), report("cem")]
    roster, model, _ = gathering(workers, tmp_path, reports).begin(2)
    assert roster.names == ["bob", "cem"]
    assert reasons(roster) == {0: FASTER}
    assert f"WARNING ann does not take part: {FASTER}" in logged
    assert model.schema.fps == 10
    assert model.statistics == pooled_statistics(reports[1:])
    assert read_facts(tmp_path / "start").statistics == model.statistics


def test_too_few_that_are_left_end_the_run(workers: Workers, tmp_path: Path) -> None:
    reports = [report("ann", fps=30), report("bob"), report("cem")]
    with pytest.raises(RoundError) as ended:
        gathering(workers, tmp_path, reports).begin(3)
    assert str(ended.value) == f"2 of the 3 clients that are needed can take part: ann: {FASTER}"
    assert not (tmp_path / "start").exists()


def test_of_two_the_first_is_right(workers: Workers, tmp_path: Path) -> None:
    """And it is no use to tell one node how the other would fit."""
    reports = [report("ann", fps=30), report("bob")]
    roster, model, _ = gathering(workers, tmp_path, reports).begin(1)
    assert (roster.names, model.schema.fps) == (["ann"], 30)
    assert reasons(roster) == {
        1: "client 'bob': fps is 10, client 'ann' has 30; one policy needs one rate: record or "
        "convert it at the same"
    }


def test_joints_that_another_name_would_mend(workers: Workers, tmp_path: Path) -> None:
    joints = ("pan", *examples.JOINTS[1:])
    reports = [report("ann"), report("bob", state=joints, action=joints)]
    roster, _, _ = gathering(workers, tmp_path, reports).begin(1)
    assert reasons(roster) == {
        1: "client 'bob': state has 4 joints pan, shoulder_lift.pos, elbow_flex.pos, gripper.pos, "
        "client 'ann' has 4 joints shoulder_pan.pos, shoulder_lift.pos, elbow_flex.pos, "
        "gripper.pos; if they are the same joints in this order, say --rename "
        "pan=shoulder_pan.pos for it (and 1 more, which `zk0 data check` lists)"
    }


def test_a_camera_that_the_policy_takes(workers: Workers, tmp_path: Path) -> None:
    """What most have is what the policy takes, and whoever lacks it is in no statistics."""
    reports = [
        report("ann", cameras={TOP: PICTURE, SIDE: PICTURE}),
        report("bob"),
        report("cem"),
    ]
    roster, model, start = gathering(workers, tmp_path, reports).begin(1)
    assert reasons(roster) == {
        0: f"client 'ann' (node:ann) has no camera {WRIST}, which the policy takes; it has {TOP}, "
        f"{SIDE}; if they show the same, say --rename {SIDE}={WRIST} for it"
    }
    assert start.unfit == {}
    assert model.statistics == pooled_statistics(reports[1:])


def test_a_run_that_starts_from_a_model_goes_by_it(workers: Workers, tmp_path: Path) -> None:
    reports = [report("ann", fps=30), report("bob", fps=30), report("cem")]
    earlier = ModelRef(
        recipe_of(examples.plan()), reports[2].schema, pooled_statistics(reports[2:]), None
    )
    write_facts(earlier, tmp_path / "start")
    roster, model, _ = gathering(workers, tmp_path, reports).begin(1)
    assert roster.names == ["cem"]
    assert reasons(roster)[1] == (
        "client 'bob': fps is 30, the run's model has 10; one policy needs one rate: fps=10 in the "
        "address of client 'bob' takes one frame of 3"
    )
    assert model == earlier


def test_an_episode_to_evaluate_on(workers: Workers, tmp_path: Path) -> None:
    address = f"local:{write_v3(tmp_path / 'desk', Recording())}"
    held_out = open_dataset(address).episodes[-1]
    plan = {
        "evaluations": (
            EvaluationPlan(f"{address}?eval_episodes=1", PluginChoice("evaluator", "policy-loss")),
        )
    }
    reports = [attrs.evolve(report("ann"), episodes=(held_out,)), report("bob")]
    roster, _, _ = gathering(workers, tmp_path, reports, **plan).begin(1)
    text = (
        f"evaluation dataset {address}?eval_episodes=1: episode 2 is also trained on by client "
        "'ann'; hold it out there with ?eval_episodes"
    )
    assert reasons(roster) == {0: text}
    with pytest.raises(DataError) as refused:
        gathering(workers, tmp_path, reports, Patience(), **plan).begin(1)
    assert str(refused.value) == text


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (
            {"fps": 30},
            "client 'bob': fps is 30, client 'ann' has 10; one policy needs one rate: fps=10 in "
            "the address of client 'bob' takes one frame of 3",
        ),
        (
            {"cameras": {TOP: PICTURE, SIDE: PICTURE}},
            f"client 'bob' (node:bob) has no camera {WRIST}, which the policy takes; it has {TOP}, "
            f'{SIDE}; if they show the same, say rename = {{ "{SIDE}" = "{WRIST}" }} for it',
        ),
    ],
)
def test_a_simulation_ends(
    workers: Workers, tmp_path: Path, schema: dict[str, Any], text: str
) -> None:
    reports = [report("ann"), report("bob", **schema), report("cem")]
    with pytest.raises(DataError) as refused:
        gathering(workers, tmp_path, reports, Patience()).begin(1)
    assert str(refused.value) == text


def test_one_that_comes_late(workers: Workers, tmp_path: Path, logged: list[str]) -> None:
    run = gathering(workers, tmp_path, [report("ann")])
    roster, model, _ = run.begin(1)
    run.exchange.reports += [report("bob", fps=30), report("cem")]  # type: ignore[attr-defined]
    roster = run.present(roster, model)
    assert roster.names == ["ann", "cem"]
    why = (
        "client 'bob': fps is 30, the run's model has 10; one policy needs one rate: fps=10 in the "
        "address of client 'bob' takes one frame of 3"
    )
    assert reasons(roster) == {1: why}
    assert f"WARNING bob does not take part: {why}" in logged
    assert "INFO cem joins" in logged
    # It is not asked again, and was told of once.
    assert run.present(roster, model) == attrs.evolve(roster, refused=())
