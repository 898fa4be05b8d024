"""Rounds over lossy codecs: what is the reference, what is remembered, what a refusal undoes."""

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

from tests.wire.by_hand import file_size
from zk0_core.engines import apps
from zk0_core.parts import build_broadcast_codec, build_codec
from zk0_core.plan import PluginChoice
from zk0_core.tensors import fingerprint

INT8 = PluginChoice("codec", "int8")
TOPK = PluginChoice("codec", "topk", {"fraction": 0.3})
"""One of the three values of each tensor."""

Federated = Callable[..., Any]


@pytest.fixture
def federated(federate, quadratic) -> Federated:
    """Make federations of clients with three values in each of their two tensors."""
    targets = {"left": [1.0, -2.0, 0.3], "right": [-1.0, 0.5, 0.8]}

    def federated(codec: PluginChoice, *names: str, **plan: Any) -> Any:
        chosen = names or sorted(targets)
        problems = {name: quadratic([1.0, 0.7, 1.3], targets[name]) for name in chosen}
        return federate(problems, "fedavg", codec=codec, **plan)

    return federated


def test_a_difference_is_to_the_broadcast_as_decoded(federated) -> None:
    """bfloat16 makes 1 of 1.001. The first step of AdamW is as long as its learning rate: 0.05.

    To 1.001 the difference would be 0.051.
    """
    clients = federated(PluginChoice("codec", "bfloat16"), "left", local_steps=1, lr=0.05)
    clients.params = {name: np.full(3, 1.001, np.float32) for name in clients.params}
    clients.round()
    for tensor in clients.params.values():
        # 0.05 in bfloat16 is 0.0500488; both halves of the server's sum are exact to 1e-7.
        assert tensor[1] == pytest.approx(1.001 - 0.0500488, abs=1e-6)


@pytest.mark.parametrize("codec", [INT8, TOPK], ids=["int8", "topk"])
def test_an_update_after_a_refused_one_is_as_if_it_had_not_been(federated, codec) -> None:
    """One client: after a refusal the model is the same, and so must be what it sends next."""
    updates = []

    def watch(round, report, update):
        updates.append(fingerprint(update))
        spoiled = {name: np.full_like(array, 0)[:0] for name, array in update.items()}
        return report, spoiled if round == 2 else update

    clients = federated(codec, "left")
    clients.grid.tamper["left"] = watch
    records, left_over = [], []
    for number in (1, 2, 3, 4):
        records.append(clients.round())
        left_over.append(clients.state("left", number)["codec:body.w"])
    assert [record.counted for record in records] == [True, False, True, True]
    assert updates[1] == updates[2]
    assert len(set(updates)) == 3
    assert left_over[1].any()
    np.testing.assert_array_equal(left_over[1], left_over[2])
    assert (left_over[2] != left_over[3]).any()


@pytest.mark.parametrize("codec", [INT8, TOPK], ids=["int8", "topk"])
def test_processes_that_start_again_send_the_same(federated, codec) -> None:
    whole, halved = federated(codec), federated(codec)
    for _ in range(4):
        whole.round()
    for _ in range(2):
        halved.round()
    apps._sessions.clear()
    halved.federation = attrs.evolve(
        halved.federation, codec=build_codec(codec), broadcast=build_broadcast_codec(codec)
    )
    for _ in range(2):
        halved.round()
    assert fingerprint(halved.params) == fingerprint(whole.params)


@pytest.mark.parametrize("codec", [INT8, TOPK], ids=["int8", "topk"])
def test_a_server_that_goes_back_gets_the_same(federated, codec) -> None:
    clients = federated(codec)
    clients.round()
    checkpoint = clients.params, clients.history
    ends = []
    for _ in range(2):
        clients.params, clients.history = checkpoint
        for _ in range(2):
            clients.round()
        ends.append(fingerprint(clients.params))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("codec", [INT8, TOPK], ids=["int8", "topk"])
def test_a_client_gets_where_it_wants(federated, codec) -> None:
    """The valley's bottom is at a loss of 0, 80 steps of 0.05 away at most."""
    clients = federated(codec, "left")
    start = clients.loss()
    for _ in range(30):
        clients.round()
    assert clients.loss() < 0.01 * start


def test_bytes_up_and_down_are_counted(federated) -> None:
    """Two tensors of three values: 3 + 4 bytes up each, 6 down, and what says which they are."""
    (left, _) = federated(INT8).round().clients
    up = (
        '{"scale:body.w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        '"scale:head.w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},'
        '"int8:body.w":{"dtype":"I8","shape":[3],"data_offsets":[8,11]},'
        '"int8:head.w":{"dtype":"I8","shape":[3],"data_offsets":[11,14]}}'
    )
    down = (
        '{"body.w":{"dtype":"U16","shape":[3],"data_offsets":[0,6]},'
        '"head.w":{"dtype":"U16","shape":[3],"data_offsets":[6,12]}}'
    )
    assert left.bytes_up == file_size(up, 2 * (3 + 4))
    assert left.bytes_down == file_size(down, 2 * 6)
