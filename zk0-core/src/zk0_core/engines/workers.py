"""Resident worker processes: what is loaded in one stays loaded."""

import itertools
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from zk0_core.engines.devices import gpus_for, see_only, shared_gpus
from zk0_core.engines.orphans import end_with_parent
from zk0_core.errors import PluginError, Zk0Error
from zk0_core.plan import RunPlan

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """Processes that each run what they are given, one thing at a time.

    Work can be bound to a worker, so that a client finds its policy, data and caches again.
    """

    def __init__(
        self,
        count: int,
        threads: int,
        logs: Path | None = None,
        device: str = "cpu",
        plan: RunPlan | None = None,
    ) -> None:
        """Start `count` workers lazily.

        Args:
            count: How many; where `device` is cuda, they share its GPUs evenly.
            threads: How many threads each computes with.
            logs: Where they log to.
            device: What policies train on.
            plan: What they carry out a part of, and take their plugins from.
        """
        method = "forkserver" if sys.platform.startswith("linux") else "spawn"
        context = multiprocessing.get_context(method)
        if count > 1:
            # One worker imports what it needs, and not what others may.
            context.set_forkserver_preload(["zk0_core.engines.preload"])
        self._pools = [
            ProcessPoolExecutor(1, context, initializer=_start, initargs=(threads, logs, gpu, plan))
            for gpu in itertools.islice(shared_gpus(device), count)
        ]

    @property
    def count(self) -> int:
        """How many workers there are."""
        return len(self._pools)

    def submit(
        self, worker: int, function: Callable[..., Result], *arguments: Any
    ) -> "Future[Result]":
        """Run `function(*arguments)` on worker `worker` modulo their count."""
        return self._pools[worker % self.count].submit(_run, function, *arguments)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return [function(item) for item in items], item i computed by worker i."""
        futures = [self.submit(index, function, item) for index, item in enumerate(items)]
        return [future.result() for future in futures]

    def close(self) -> None:
        """End the workers; work that has not started is dropped."""
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)


@contextmanager
def stopping_when_lost(run: Path) -> Iterator[None]:
    """Turn the death of a worker into a Zk0Error that names the run."""
    try:
        yield
    except BrokenProcessPool as problem:
        raise Zk0Error(
            "a worker process has died, most often since memory ran out; all rounds up to the last "
            f"checkpoint are intact; free some memory, then zk0 resume {run}, or start a run with "
            "fewer workers"
        ) from problem


def default_count(device: str = "cpu") -> int:
    """Return how many workers fit this machine.

    One for each core that this process may use; where `device` is a GPU, one for each of those.
    """
    if device != "cpu":
        return max(1, len(gpus_for(device)))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run[Result](function: Callable[..., Result], *arguments: Any) -> Result:
    """Return function(*arguments); of what a plugin raises, only a text leaves this process.

    Raises:
        PluginError: with what a plugin raised and where, since the traceback stays here, and an
            exception of its own may not even be a thing that can be sent.
    """
    from zk0_core.disk import is_full
    from zk0_core.plugin_errors import described, place_of

    try:
        return function(*arguments)
    except Zk0Error:
        raise
    except Exception as problem:
        if is_full(problem) or not place_of(problem):
            raise
        raise PluginError(described(problem)) from problem


def _start(threads: int, logs: Path | None, gpu: str | None, plan: RunPlan | None) -> None:
    end_with_parent()
    see_only(gpu)
    import torch

    from zk0_core.parts import follow

    torch.set_num_threads(threads)
    follow(plan)
    if logs is not None:
        from zk0_core.logs import log_clients

        log_clients(logs)
