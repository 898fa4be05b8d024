"""A run shows how far the caches are that its processes build, and says nothing of short ones."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from flwr.app import Message
from loguru import logger

from zk0_core import logs
from zk0_core.builtin.evaluator_policy_loss import PolicyLoss
from zk0_core.client.policies import forget_policies, policy_for
from zk0_core.data import training_episodes
from zk0_core.engines._flower import become_task, client_context
from zk0_core.engines.apps import client_app, forget_sessions, recipe_of
from zk0_core.lerobot.stats import episode_sums
from zk0_core.parameters import to_numpy
from zk0_core.parts import open_dataset
from zk0_core.plan import ClientPlan
from zk0_core.protocols import EvaluationRequest
from zk0_core.replay import held_out_pictures
from zk0_core.server import model as server_model
from zk0_core.server.model import ModelRef
from zk0_core.testing import examples
from zk0_core.testing.evaluator import InlinePool
from zk0_core.wire.orders import TRAIN, RoundOrder, RoundReport, order_of_round_0
from zk0_core.wire.packing import header_type, pack, to_record

NODE = 100


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is cached, and what is logged goes where a client's process sends it."""
    monkeypatch.setenv("ZK0_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(server_model, "_loaded", {})
    logs.log_clients(tmp_path / "logs")
    yield
    logger.remove()
    logger.configure(extra={})
    logs.log_clients.cache_clear()
    forget_sessions()
    forget_policies()


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever takes any time is told of."""
    monkeypatch.setattr(logs, "QUIET_S", 0.0)
    monkeypatch.setattr(logs, "EVERY_S", 0.0)


def train_a_round(uri: str, place: Path) -> None:
    """Let a client with the dataset at `uri` train a step of its first round."""
    dataset, plan = open_dataset(uri), examples.plan(local_steps=1)
    statistics = episode_sums(dataset, training_episodes(dataset))
    recipe = recipe_of(plan)
    policy = policy_for(recipe, dataset.schema, statistics).policy
    order: RoundOrder = attrs.evolve(
        order_of_round_0(
            plan,
            run="run",
            recipe=recipe,
            statistics=statistics,
            frozen=policy.frozen_fingerprint(),
        ),
        round=1,
        client="ann",
    )
    content = to_record(order, params=pack(to_numpy(policy.trainable())), extra=pack({}))
    become_task(NODE)
    message = Message(content, dst_node_id=NODE, message_type=TRAIN)
    app = client_app({0: ClientPlan("ann", uri)}, place)
    reply = app(message=message, context=client_context(NODE, 0))
    assert header_type(reply.content) == RoundReport.__name__


def test_of_a_clients_first_round(
    folder: Path, tmp_path: Path, talkative: None, capfd: pytest.CaptureFixture
) -> None:
    uri = f"local:{folder}?eval_episodes=1"
    train_a_round(uri, tmp_path)
    lines = [f"prefix cache of {uri}: 32/41", f"prefix cache of {uri}: 41/41"]
    assert capfd.readouterr().err.splitlines() == lines
    log = (tmp_path / "logs" / "ann.log").read_text()
    assert all(f"ann: {line}\n" in log for line in lines)


def test_of_an_evaluation(
    folder: Path, tmp_path: Path, talkative: None, capfd: pytest.CaptureFixture
) -> None:
    uri = f"local:{folder}?eval_episodes=1"
    dataset, plan = open_dataset(uri), examples.plan()
    model = ModelRef(
        recipe=recipe_of(plan),
        schema=dataset.schema,
        statistics=episode_sums(dataset, dataset.episodes),
        params=None,
    )
    figures = PolicyLoss().evaluate(
        EvaluationRequest(plan, 0, uri, model, tmp_path, InlinePool(), final=False)
    )
    assert figures["episodes"] == 1
    assert capfd.readouterr().err.splitlines() == [
        f"prefix cache of {uri}: 32/41",
        f"prefix cache of {uri}: 41/41",
    ]


def test_of_pictures_to_replay(folder: Path, talkative: None, capfd: pytest.CaptureFixture) -> None:
    uri = f"local:{folder}?eval_episodes=1"
    dataset = open_dataset(uri)
    camera = next(iter(dataset.schema.cameras))
    held_out_pictures(dataset, camera)
    lines = capfd.readouterr().err.splitlines()
    assert lines[-1] == f"decoding {camera} of {uri}: 41/41"


def test_a_short_build_says_nothing(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    train_a_round(f"local:{folder}?eval_episodes=1", tmp_path)
    assert list((tmp_path / "cache" / "prefix").glob("[!.]*"))
    assert capfd.readouterr() == ("", "")
    assert "prefix cache" not in (tmp_path / "logs" / "ann.log").read_text()


SCRIPT = """
import sys
from pathlib import Path

from zk0_core import logs
from zk0_core.engines.workers import Workers


def work():
    logs.QUIET_S = 0.0
    progress = logs.ShownProgress()
    progress("prefix cache of local:desk", 32, 41)


if __name__ == "__main__":
    workers = Workers(1, 1, logs=Path(sys.argv[1]))
    workers.submit(0, work).result()
    workers.close()
    print("{}")
"""


def test_what_a_worker_shows_goes_to_stderr_of_the_command(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script, tmp_path / "logs"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "prefix cache of local:desk: 32/41\n"
    assert done.stdout == "{}\n"
