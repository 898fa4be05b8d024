"""Which device a run trains on, and which GPU each worker has."""

import os

import pytest
import torch

from zk0_core.engines.devices import AUTO, chosen_device, gpus_for, usable
from zk0_core.engines.workers import Workers, default_count


def test_workers_share_gpus_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7,-1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert gpus_for("cuda") == ["4", "7"]
    assert default_count("cuda") == 2
    workers = Workers(3, 1, device="cuda")
    try:
        seen = [
            workers.submit(number, os.getenv, "CUDA_VISIBLE_DEVICES").result()
            for number in range(3)
        ]
    finally:
        workers.close()
    assert seen == ["4", "7", "4"]


def test_workers_of_other_devices_are_given_no_gpu_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7,-1")
    assert [gpus_for(device) for device in ("cpu", "cuda:1", "mps")] == [[], [], []]
    assert [default_count(device) for device in ("cuda:1", "mps")] == [1, 1]
    seen = set()
    for device in ("cpu", "cuda:1", "mps"):
        workers = Workers(1, 1, device=device)
        try:
            seen.add(workers.submit(0, os.getenv, "CUDA_VISIBLE_DEVICES").result())
        finally:
            workers.close()
    # They have the environment that the first worker of this process was started with.
    assert len(seen) == 1


def test_without_a_gpu_the_processor_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert chosen_device(AUTO) == "cpu"
    assert [device for device in (AUTO, "cpu", "cuda", "mps") if usable(device)] == [AUTO, "cpu"]


def test_a_gpu_is_chosen_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert chosen_device(AUTO) == "cuda"
    assert chosen_device("cpu") == "cpu"
    assert (usable("cuda:1"), usable("cuda:2")) == (True, False)
