"""What a node's trainer keeps of runs: their states for a while, what they cost for ever."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from flwr.app import Message

from zk0_core import parts
from zk0_core.client.privacy import epsilon_of
from zk0_core.engines._flower import client_context
from zk0_core.engines.grid import FIRST_NODE
from zk0_core.federation import acceptance
from zk0_core.federation.records import DatasetSummary
from zk0_core.federation.trainer import TrainerSettings
from zk0_core.federation.trainer_process import Work
from zk0_core.history import RoundRecord
from zk0_core.wire.packing import header_type

NOISY = {"dp_clip": 0.1, "dp_noise": 2.0}
Ask = Callable[..., RoundRecord]


@pytest.fixture
def ask(federate, quadratic, tmp_path, monkeypatch) -> Ask:
    """Have a node train one round of a run, named as the server likes; return what was recorded.

    `beside` are fields that the server's order has beside its own.
    """

    def ask(
        run: str,
        *,
        lr: float = 0.05,
        epsilon: float | None = None,
        beside: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Any:
        federation = federate({"left": quadratic([1, 3], [2, -0.1])}, "fedavg", options, lr=lr)
        monkeypatch.setattr(acceptance, "installed", parts.installed)
        work = Work(
            TrainerSettings(
                name="left",
                dataset="quadratic:left",
                state=tmp_path / "node" / "state",
                logs=tmp_path / "node" / "logs",
                epsilon=epsilon,
            ),
            DatasetSummary(kind="quadratic", name="", episodes=3, frames=12),
            lambda what, done, total: None,
        )

        def answer(message: Message) -> Message:
            header = message.content["header"]
            if beside and header_type(message.content) == "RoundOrder":
                header["json"] = json.dumps({**json.loads(header["json"]), **beside})
            return work.carry_out(run, message, client_context(FIRST_NODE, 0))

        federation.grid._answer = answer
        template = attrs.evolve(federation.federation.template, run=run)
        federation.federation = attrs.evolve(federation.federation, template=template)
        return federation.round()

    return ask


def states(tmp_path: Path) -> dict[str, int]:
    """Return how many rounds' states each folder of a run holds."""
    folder = tmp_path / "node" / "state"
    return {run.name: len(list(run.rglob("*.safetensors"))) for run in folder.iterdir()}


def test_the_states_of_the_last_two_runs_stay(ask: Ask, tmp_path: Path) -> None:
    ask("one")
    (first,) = states(tmp_path)
    ask("two")
    (second,) = states(tmp_path).keys() - {first}
    ask("one")  # again, so that it was used after the other one
    ask("three")
    assert second not in states(tmp_path)
    assert len(states(tmp_path)) == 2
    assert set(states(tmp_path).values()) == {1}
    # What a node that was killed had begun to remove.
    (tmp_path / "node" / "state" / f".{second}.gone").mkdir()
    ask("four")
    assert first not in states(tmp_path)
    assert set(states(tmp_path).values()) == {1}


def test_another_name_of_a_run_starts_no_other_account(ask: Ask, tmp_path: Path) -> None:
    two, three = (epsilon_of({2.0: count}, 1e-5) for count in (2, 3))
    mine = {"epsilon": (two + three) / 2, **NOISY}
    spent = [
        ask(run, lr=lr, **mine).clients[0].epsilon for run, lr in (("one", 0.05), ("two", 0.04))
    ]
    assert spent == pytest.approx([epsilon_of({2.0: 1}, 1e-5), two])
    for number in range(3):  # by when the first run's state is long gone
        (refusal,) = ask(f"more {number}", lr=0.03, **mine).refused
        assert refusal.reason == (
            f"privacy budget of client 'left' is spent: epsilon is {two:.3g} of "
            f"{mine['epsilon']:g} at delta 1e-05, and would be {three:.3g} after another round"
        )
    assert (tmp_path / "node" / "privacy.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("field", ["ledger", "shown"])
def test_a_server_says_neither_where_the_account_is_nor_what_it_is_told(
    ask: Ask, tmp_path: Path, field: str
) -> None:
    (refusal,) = ask("one", beside={field: str(tmp_path / "other.json")}, **NOISY).refused
    assert refusal.reason == f"malformed RoundOrder: extra fields found ({field}) @ $"
    assert not (tmp_path / "other.json").exists()


def test_a_delta_that_makes_epsilon_small_is_refused(ask: Ask, tmp_path: Path) -> None:
    (refusal,) = ask("one", epsilon=3.0, dp_delta=0.99, **NOISY).refused
    assert refusal.reason == (
        "client 'left' takes part up to epsilon = 3 only, and this run counts it at delta = 0.99, "
        "which promises too little; set strategy.dp_delta to 1e-05 or less"
    )
    assert not (tmp_path / "node" / "privacy.json").exists()
