"""A conductor with its runs on disk, and a SuperLink that says what the test has it say."""

from zk0_core.engines._flower_control import KnownNode, RunState
from zk0_core.federation.records import RunEntry, ServerSettings
from zk0_core.federation.runs import Runs
from zk0_core.testing import examples

EARLY, LATE = "2026-01-01T10:00:00+00:00", "2999-01-01T10:00:00+00:00"


def node(name: str, online: bool = True, seen: str = EARLY) -> KnownNode:
    return KnownNode(hash(name), name, name.encode(), online, EARLY, seen)


BY_HAND = ServerSettings()


class SuperLink:
    """What a SuperLink says of nodes and runs, as the test sets it."""

    def __init__(self) -> None:
        self.known: list[KnownNode] = []
        self.states: dict[int, RunState | None] = {}
        self.started: list[str] = []
        self.stopped: list[int] = []

    def nodes(self) -> list[KnownNode]:
        return self.known

    def start_run(self, bundle: bytes, run: str) -> int:
        self.started.append(run)
        number = len(self.started)
        self.states[number] = RunState("running", "", "")
        return number

    def run_state(self, number: int) -> RunState | None:
        return self.states[number]

    def stop_run(self, number: int) -> None:
        self.stopped.append(number)


def submit(runs: Runs, **asked: object) -> RunEntry:
    return runs.submit(examples.plan(), **asked)
