"""Takes the submitted runs one after the other: waits for nodes, starts, watches, starts again."""

import time

import attrs
from loguru import logger

from zk0_core.disk import is_full
from zk0_core.engines._flower_control import FINISHED, STOPPED, Control, KnownNode, RunState
from zk0_core.engines.bundle import bundle
from zk0_core.errors import Zk0Error
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.records import RunEntry, ServerSettings
from zk0_core.federation.runs import Runs
from zk0_core.federation.sessions import begin_session, has_left, time_of

MAX_ATTEMPTS = 5
"""A run that crashed so often is not started again."""
LOOK_SECONDS = 1.0
ASKED = "asked for with zk0 stop"


class Conductor:
    """Carries out the runs of a server; `look` is called again and again."""

    def __init__(self, folder: ServerFolder, control: Control, settings: ServerSettings) -> None:
        self._folder = folder.runs
        self._runs = Runs(folder)
        self._control = control
        self._settings = settings
        self._looked = 0.0
        self._waiting_since: dict[str, float] = {}
        self._launched: set[int] = set()
        """Flower runs that the launcher of now carries out: a ServerApp ends with its launcher."""
        self._launchers_died = 0
        self._started: RunEntry | None = None
        """What was given to the SuperLink, where that is still to be written down."""
        self._told = ""
        """What went wrong at the last look."""

    def launcher_died(self) -> None:
        """Learn that all ServerApps are gone; the SuperLink sees that a minute later only."""
        self._launched.clear()
        self._launchers_died += 1

    def look(self) -> None:
        """Do what is due; what goes wrong on the way is logged once, and tried again."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        try:
            self._look()
        except (Zk0Error, OSError) as problem:
            told = str(problem) if isinstance(problem, Zk0Error) else self._on_disk(problem)
            if told != self._told:
                logger.warning("{}", told)
            self._told = told
        else:
            self._told = ""

    def _on_disk(self, problem: OSError) -> str:
        """Return what to do when runs could not be read or written, in words of no one file."""
        if is_full(problem):
            return f"the disk of {self._folder} is full; free some, and runs go on by themselves"
        reason = problem.strerror or type(problem).__name__
        return f"runs cannot be read or written in {self._folder}: {reason}; it is tried again"

    def _look(self) -> None:
        self._write_started()
        for entry in self._runs.all():
            if entry.over or not self._runs.to_be_stopped(entry.name):
                continue
            try:
                self._stop(entry)
            except Zk0Error as problem:
                # All else goes on; it is tried again at the next look.
                logger.warning("run {} is not stopped yet: {}", entry.name, problem)
        going = self._runs.going()
        if not going:
            if self._settings.auto:
                begin_session(self._runs, self._settings, self._control.nodes())
        elif going[0].state == "running":
            self._watch(going[0])
        elif not self._runs.to_be_stopped(going[0].name):
            self._start_when_ready(going[0])

    def _stop(self, entry: RunEntry) -> None:
        if entry.flower_run:
            self._control.stop_run(entry.flower_run)
        self._end(entry, "stopped", ASKED)
        logger.info("run {} is stopped", entry.name)

    def _end(self, entry: RunEntry, state: str, reason: str) -> None:
        """Write down that a run has ended, how, and who was there where sessions follow."""
        nodes = self._control.nodes() if self._settings.auto else []
        # Who was torn from its work is back soon; where none had begun, who is away was not there.
        began = entry.state == "running"
        there = tuple(n.name for n in nodes if n.online or (began and not has_left(n)))
        self._runs.change(entry, state=state, reason=reason, there=there)
        self._waiting_since.pop(entry.name, None)  # it may be queued again

    def _watch(self, entry: RunEntry) -> None:
        """See whether the run has ended, and how."""
        state = self._control.run_state(entry.flower_run)
        goes_on = state is not None and state.status != FINISHED
        asked = self._runs.to_be_stopped(entry.name)
        if goes_on and (asked or entry.flower_run in self._launched):
            return
        outcome = self._runs.outcome(entry.name)
        if outcome is not None:
            ended = "failed" if outcome else "done"
            self._end(entry, ended, outcome)
            logger.info("run {} is {} {}", entry.name, ended, outcome)
        elif asked or (state is not None and state.ending == STOPPED):
            self._end(entry, "stopped", ASKED if asked else "stopped through Flower")
        elif entry.flower_run not in self._launched and not self._launchers_died:
            # Nothing crashed: the server was stopped, or killed, and is here again.
            logger.info("run {} goes on where it was", entry.name)
            self._start_again(entry, state, attempts=entry.attempts)
        elif entry.attempts >= MAX_ATTEMPTS:
            self._end(entry, "failed", f"crashed {entry.attempts} times; see its log")
        else:
            details = "its launcher ended" if goes_on else _details(state)
            logger.error("run {} crashed ({}) and goes on", entry.name, details)
            self._start_again(entry, state, attempts=entry.attempts + 1)

    def _start_again(self, entry: RunEntry, state: RunState | None, attempts: int) -> None:
        if state is not None and state.status != FINISHED:
            self._control.stop_run(entry.flower_run)
        self._start(entry, attempts)

    def _start_when_ready(self, entry: RunEntry) -> None:
        nodes = self._control.nodes()
        missing = _missing(entry, nodes)
        if not missing:
            self._start(entry, attempts=1)
            return
        since = self._waiting_since.setdefault(entry.name, time.monotonic())
        if time.monotonic() - since > entry.wait:
            online = sum(node.online for node in nodes)
            self._end(
                entry,
                "failed",
                f"{online} of {_needed(entry, nodes)} nodes were connected after "
                f"{entry.wait:.0f} s; {missing}; start them, or ask for fewer with --min-clients",
            )
        elif entry.reason != missing:
            self._runs.change(entry, reason=missing)

    def _start(self, entry: RunEntry, attempts: int) -> None:
        number = self._control.start_run(bundle(), entry.name)
        self._launched.add(number)
        self._started = attrs.evolve(
            entry, state="running", reason="", flower_run=number, attempts=attempts
        )
        self._write_started()

    def _write_started(self) -> None:
        """Write down what was started; until that is done, it would be started once more."""
        if (entry := self._started) is None:
            return
        self._runs.change(entry)
        self._started = None
        logger.info("run {} is given to the SuperLink as {}", entry.name, entry.flower_run)


def _details(state: RunState | None) -> str:
    return state.details if state else "the SuperLink does not know it"


def _needed(entry: RunEntry, nodes: list[KnownNode]) -> int:
    return entry.min_clients or max(1, len(nodes))


def _missing(entry: RunEntry, nodes: list[KnownNode]) -> str:
    """Return whom a run waits for, in words; empty when it can start."""
    if sum(node.online for node in nodes) >= _needed(entry, nodes):
        return ""
    away = [f"{node.name} ({_seen(node)})" for node in nodes if not node.online]
    return f"missing: {', '.join(away) or 'nodes to approve, with zk0 server nodes approve'}"


def _seen(node: KnownNode) -> str:
    if not node.seen:
        return "never connected"
    return f"last seen {time_of(node.seen):%Y-%m-%d %H:%M} UTC"
