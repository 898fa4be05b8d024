"""Peak memory of the server with few and with many clients: python benchmarks/memory.py.

Two rounds of the real server side (exchange, admission, strategy) with clients that answer at once
with an update of --parameters float32 each. Every second reply comes before its turn and waits on
disk. Each figure is taken in a process of its own. An update is one value everywhere and takes no
memory until it is packed for the wire, so that this is the server's memory and no client's.
The last column is the peak with many clients over the bytes that one client sends.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

PARAMETERS = 25_000_000
TENSORS = 25
CLIENTS = (4, 64)
STRATEGIES = ("fedavg", "fedprox", "fedadam", "scaffold")
ROUNDS = 2
EXTRA = ("scaffold",)
"""Strategies whose clients send as much again beside the update."""


def main() -> None:
    """Print a table: a row for each strategy, a column for each number of clients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategy", nargs="*", default=STRATEGIES, help="which to measure")
    parser.add_argument("--parameters", type=int, default=PARAMETERS)
    parser.add_argument("--one", nargs=2, metavar=("STRATEGY", "CLIENTS"), help="in this process")
    arguments = parser.parse_args()
    size = arguments.parameters
    if arguments.one:
        print(peak_mib(arguments.one[0], int(arguments.one[1]), size))
        return
    few, many = CLIENTS
    print(f"server peak memory, {size:,} parameters, {ROUNDS} rounds")
    print(f"{'strategy':12} {few:>4} clients {many:>4} clients   growth  over bytes sent")
    for strategy in arguments.strategy:
        peaks = [in_own_process(strategy, clients, size) for clients in CLIENTS]
        growth, over = peaks[1] / peaks[0] - 1, peaks[1] / sent_mib(strategy, size)
        print(
            f"{strategy:12} {peaks[0]:8.0f} MiB {peaks[1]:8.0f} MiB {growth:8.1%} {over:16.1f}",
            flush=True,
        )


def sent_mib(strategy: str, size: int = PARAMETERS) -> float:
    """Return the MiB that one client sends in a round."""
    return 4 * size * (2 if strategy in EXTRA else 1) / 2**20


def in_own_process(strategy: str, clients: int, size: int = PARAMETERS) -> float:
    """Return the peak memory in MiB of a new process."""
    command = [sys.executable, __file__, "--one", strategy, str(clients)]
    command += ["--parameters", str(size)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.splitlines()[-1])


def peak_mib(strategy: str, clients: int, size: int) -> float:
    """Return this process's peak memory in MiB, after ROUNDS rounds with so many clients."""
    from zk0_core.parts import build_strategy, strategy_record
    from zk0_core.plan import PluginChoice
    from zk0_core.testing.loopback import run_one_round

    choice = PluginChoice("strategy", strategy)
    server_half, params = build_strategy(choice), tensors(0, size)
    answers = Answers(clients, size, extra=strategy in EXTRA)
    names = list(answers)
    arrival = [name for pair in zip(names[1::2], names[::2], strict=True) for name in pair]
    for number in range(1, ROUNDS + 1):
        combined = run_one_round(
            server_half,
            strategy_record(choice),
            params,
            answers,
            choice=choice,
            arrival=arrival,
            number=number,
        )
        assert len(combined.record.clients) == clients, combined.record.refused
        params = combined.params
    kibi = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kibi / 2**20


class Answers(Mapping[str, Any]):
    """Client name to its answer, made when it is asked for."""

    def __init__(self, clients: int, size: int, *, extra: bool) -> None:
        self._size = size
        self._names = [f"client-{index:03}" for index in range(clients)]
        self._extra = extra

    def __getitem__(self, name: str) -> Any:
        from zk0_core.testing.loopback import Answer

        delta = update(1 + self._names.index(name), self._size)
        return Answer(100, delta, delta if self._extra else {})

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def update(value: int, size: int) -> Any:
    """Return `size` float32 in TENSORS tensors, all of them `value` / 1000 and in one place."""
    import numpy as np

    one = np.float32(value / 1000)
    return {f"w{index}": np.broadcast_to(one, size // TENSORS) for index in range(TENSORS)}


def tensors(seed: int, size: int) -> Any:
    """Return `size` random float32 in TENSORS tensors."""
    import numpy as np

    random = np.random.default_rng(seed)
    shape = (size // TENSORS,)
    return {f"w{index}": random.random(shape, dtype=np.float32) for index in range(TENSORS)}


if __name__ == "__main__":
    main()
