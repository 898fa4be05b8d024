"""The process of a node that keeps policy, data and caches loaded and trains with them."""

import hashlib
import signal
import time
from typing import TYPE_CHECKING, Any

from zk0_core.data import Progress
from zk0_core.errors import UsageError, WireError, Zk0Error
from zk0_core.federation.records import DatasetSummary
from zk0_core.federation.trainer import (
    SENDING,
    Done,
    Failure,
    Received,
    Told,
    TrainerSettings,
)
from zk0_core.plan import ClientPlan

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from flwr.app import Context, Message

    from zk0_core.engines._flower_tasks import Handed

TELL_SECONDS = 0.5
"""Between two words of how far a round is."""


def serve(settings: TrainerSettings, pipe: "Connection") -> None:
    """Be a trainer: answer what comes by `pipe`, until it is closed."""
    from loguru import logger

    from zk0_core.engines.orphans import end_with_parent
    from zk0_core.engines.quiet import quiet_flower

    end_with_parent()
    quiet_flower()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from zk0_core.logs import log_clients

    log_clients(settings.logs)
    with logger.contextualize(client=settings.name):
        try:
            started = time.perf_counter()
            about = _open_own(settings, _teller(pipe))
            logger.info("dataset opened in {:.1f} s", time.perf_counter() - started)
        except Zk0Error as problem:
            pipe.send(Failure(str(problem), isinstance(problem, UsageError)))
            return
        pipe.send(about)
        work = Work(settings, about, _teller(pipe))
        while True:
            try:
                run, task = pipe.recv()
            except EOFError:
                return
            pipe.send(_answer(work, run, task, pipe))


def _answer(work: "Work", run: str, task: "Handed", pipe: "Connection") -> Done | Failure:
    """Take a message from the SuperNode and give it the answer; tell of both."""
    from zk0_core.engines._flower_tasks import StaleTask
    from zk0_core.wire.packing import bytes_in

    try:
        message = task.message()
        pipe.send(Received(_round_of(message), bytes_in(message.content)))
        reply = work.carry_out(run, message, task.context)
        del message  # or it would stay in memory beside what is sent
        pipe.send(Told(SENDING))
        done = _described(reply)
        task.push(reply)
    except StaleTask as problem:
        return Failure(str(problem), stale=True)
    except Zk0Error as problem:
        return Failure(str(problem))
    return done


def _round_of(message: "Message") -> int:
    """Return the round that a message asks for; 0 for none."""
    from zk0_core.wire.orders import RoundOrder
    from zk0_core.wire.packing import from_record, header_type

    if header_type(message.content) != RoundOrder.__name__:
        return 0
    try:
        return from_record(message.content, RoundOrder).round
    except WireError:
        return 0


def _described(reply: "Message") -> Done:
    """Return what an answer says."""
    from zk0_core.wire.orders import ClientError, RoundReport
    from zk0_core.wire.packing import bytes_in, from_record, header_type

    if reply.has_error():
        return Done(problem=str(reply.error.reason))
    kind = header_type(reply.content)
    if kind == ClientError.__name__:
        return Done(problem=from_record(reply.content, ClientError).reason)
    report = from_record(reply.content, RoundReport) if kind == RoundReport.__name__ else None
    return Done(report, bytes_in(reply.content))


def _teller(pipe: "Connection") -> Progress:
    """Return what tells how far a round is: at once of something new, then now and then."""
    last, when = "", 0.0

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last, when
        if what != last or time.monotonic() - when > TELL_SECONDS:
            last, when = what, time.monotonic()
            pipe.send(Told(what, done, total))

    return tell


def _open_own(settings: TrainerSettings, progress: Progress) -> DatasetSummary:
    """Make ready and open the node's own dataset, so that what is wrong is told at the start.

    Returns:
        How much it is.

    Raises:
        Zk0Error: if it cannot be used.
    """
    from zk0_core.addresses import Address, split_joined
    from zk0_core.data import training_episodes
    from zk0_core.parts import loader_for, open_dataset

    parts = split_joined(settings.dataset)
    for uri in parts:
        loader_for(uri).prepare([uri], 1, progress)
    episodes = training_episodes(open_dataset(settings.dataset, settings.rename, progress))
    return DatasetSummary(
        kind="+".join(dict.fromkeys(Address.parse(uri).scheme for uri in parts)),
        name=settings.dataset if settings.name_dataset else "",
        episodes=len(episodes),
        frames=sum(episode.stop - episode.start for episode in episodes),
    )


class Work:
    """The ClientApp of a run, and what it keeps loaded."""

    def __init__(
        self,
        settings: TrainerSettings,
        about: DatasetSummary,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._about = about
        self._progress = progress
        self._run: str | None = None
        self._app: Any = None

    def carry_out(self, run: str, message: "Message", context: "Context") -> "Message":
        """Return the reply to a message of `run`; what fails is told in it."""
        from flwr.app import Error, Message
        from loguru import logger

        from zk0_core.engines._flower import become_task
        from zk0_core.engines.local import CLIENT_FAILED
        from zk0_core.plugin_errors import described

        become_task(context.node_id, context.run_id)
        context.node_config = {"partition-id": 0}
        try:
            reply: Message = self._app_of(run)(message=message, context=context)
            return reply
        except Exception as problem:  # whatever a plugin raises is the server's to know
            logger.opt(exception=problem).error("client app failed")
            return Message(Error(CLIENT_FAILED, described(problem)), reply_to=message)

    def _app_of(self, run: str) -> Any:
        """Return the app for `run`; what was loaded for another one is let go."""
        from zk0_core.client.state import begin_run
        from zk0_core.engines.apps import client_app, forget_sessions
        from zk0_core.federation.acceptance import accepted

        if self._run != run:
            forget_sessions()
            settings = self._settings
            client = ClientPlan(
                settings.name,
                settings.dataset,
                settings.rename,
                settings.epsilon,
                shown=self._about.name or self._about.kind,
                # Not in the run's folder: a server that names a new run gets no new account.
                ledger=str(settings.state.with_name("privacy.json")),
            )
            # The server names the run; on this disk it is a hash, whatever it says.
            folder = settings.state / hashlib.sha256(run.encode()).hexdigest()[:16]
            begin_run(folder)
            self._app = client_app(
                {0: client},
                folder,
                accept=lambda recipe: accepted(recipe, settings.device),
                progress=self._progress,
            )
            self._run = run
        return self._app
