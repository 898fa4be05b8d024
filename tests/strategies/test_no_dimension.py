"""A policy may have a parameter that is one number, such as a temperature: it has no dimension."""

from pathlib import Path

import numpy as np
import pytest
import torch

from zk0_core.client.privacy import GaussianMechanism
from zk0_core.parts import build_objective, build_strategy, installed, strategy_record
from zk0_core.plan import PluginChoice
from zk0_core.server.result import fitting
from zk0_core.tensor_files import read_tensors, write_tensors
from zk0_core.tensors import Tensors, fingerprint
from zk0_core.testing.loopback import Answer, run_one_round
from zk0_core.transforms import NormClip
from zk0_core.wire.packing import pack, unpack

STRATEGIES = installed().names("strategy")
CLIENTS = [f"client-{number}" for number in range(7)]


def params() -> Tensors:
    return {"temperature": np.array(0.5, np.float32), "w": np.ones((2, 3), np.float32)}


def delta() -> Tensors:
    return {"temperature": np.array(0.25, np.float32), "w": np.full((2, 3), 0.5, np.float32)}


@pytest.mark.parametrize("name", STRATEGIES)
def test_rounds_checkpoints_and_a_fresh_start_from_them(name: str, tmp_path: Path) -> None:
    choice = PluginChoice("strategy", name)
    record = strategy_record(choice)
    extra = delta() if name == "scaffold" else {}
    answers = {client: Answer(10, delta(), extra) for client in CLIENTS}
    strategy, now = build_strategy(choice), params()
    for number in (1, 2, 3):
        before = build_strategy(choice)
        write_tensors(tmp_path / "strategy.safetensors", strategy.state())
        before.restore(read_tensors(tmp_path / "strategy.safetensors"))
        new, again = (
            run_one_round(half, record, now, answers, choice=choice, number=number).params
            for half in (strategy, before)
        )
        assert fingerprint(new) == fingerprint(again)
        assert all(isinstance(array, np.ndarray) for array in new.values())
        assert {n: t.shape for n, t in new.items()} == {"temperature": (), "w": (2, 3)}
        assert new["temperature"] > now["temperature"]
        write_tensors(tmp_path / "params.safetensors", new)
        now = new
    if name == "fedavg":
        # 0.5 and three times the mean, which is each client's 0.25.
        assert now["temperature"] == 1.25


def test_what_scaffold_sends_and_corrects() -> None:
    half = build_objective(PluginChoice("strategy", "scaffold"))
    assert half is not None
    named = {name: torch.nn.Parameter(torch.tensor(array)) for name, array in params().items()}
    half.restore({"temperature": np.array(1.0, np.float32), "w": np.zeros((2, 3), np.float32)})
    half.start(named, delta())
    for param in named.values():
        param.grad = torch.full_like(param, 3.0)
    half.gradient(0.0)
    # 3 + 0.25 − 1; c_k changes from 1 to 3.
    assert named["temperature"].grad == 2.25
    assert unpack(pack(half.finish()).arrays)["temperature"] == 2.0


def test_clipping_and_noise() -> None:
    long = {"temperature": np.array(3.0, np.float32), "w": np.array([4.0], np.float32)}
    clipped = NormClip(1.0).apply(long)
    assert isinstance(clipped["temperature"], np.ndarray)
    assert clipped["temperature"] == np.float32(0.6)
    noisy = GaussianMechanism(1.0, 0.5, b"secret").apply(long)
    assert isinstance(noisy["temperature"], np.ndarray)
    assert noisy["temperature"] != clipped["temperature"]


def test_a_strategy_may_return_a_number_for_it() -> None:
    returned = {"temperature": np.float32(1.0), "w": np.ones((2, 3), np.float32)}
    choice = PluginChoice("strategy", "mean")
    assert isinstance(fitting(returned, params(), choice)["temperature"], np.ndarray)  # type: ignore[arg-type]
