"""The ServerApp and the ClientApp: the same objects on every engine."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from zk0_core.cache import cache_share
from zk0_core.data import Progress
from zk0_core.engines.devices import chosen_device
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.plan import ClientPlan, RunPlan
from zk0_core.wire.orders import QUERY_SCHEMA, ClientError, Recipe, RoundOrder
from zk0_core.wire.packing import bytes_in, from_record, pack, tensors_from, to_record

if TYPE_CHECKING:
    from zk0_core.client.session import ClientSession
    from zk0_core.server.server import Server

MAX_SESSIONS = 1024
"""Clients whose data one process keeps open; the longest unused one makes room."""

_sessions: "OrderedDict[tuple[Path, str], ClientSession]" = OrderedDict()
_lock = threading.Lock()


def session_for(client: ClientPlan, recipe: Recipe, folder: Path) -> "ClientSession":
    """Return this process's session of `client`, made when there is none for `recipe`."""
    from zk0_core.client.session import ClientSession

    key = folder, client.name
    with _lock:
        session = _sessions.pop(key, None)
        if session is None or session.recipe != recipe:
            session = ClientSession(client, recipe, folder / "clients" / client.name / "state")
        _sessions[key] = session
        if len(_sessions) > MAX_SESSIONS:
            _sessions.popitem(last=False)
        return session


def forget_sessions() -> None:
    """Let go of all that this process keeps loaded."""
    from zk0_core.client.policies import forget_policies

    with _lock:
        _sessions.clear()
    forget_policies()


def client_app(
    clients: Mapping[int, ClientPlan],
    folder: Path,
    logs: Path | None = None,
    plan: RunPlan | None = None,
    accept: Callable[[Recipe], Recipe] = lambda recipe: recipe,
    progress: Progress | None = None,
) -> ClientApp:
    """Return the app of clients.

    Args:
        clients: Those of the plan that may be asked here, by their nodes' partitions.
        folder: The run's folder: client states go below it.
        logs: Where a process that has no log yet writes one file per client; None where processes
            have seen to it themselves.
        plan: What a process takes its plugins from; None where processes have seen to it
            themselves.
        accept: Returns what this machine makes of what it is asked to train; raises Zk0Error
            where it refuses.
        progress: Told of a round, as `ClientSession.train` says.
    """
    app = ClientApp()

    # The logger is imported where it is used: Ray pickles these functions with what they refer to,
    # and a logger that writes to a file cannot be pickled.
    def answer(message: Message, context: Context, work: Any) -> Message:
        from loguru import logger

        from zk0_core.logs import log_clients
        from zk0_core.parts import follow

        if logs is not None:
            log_clients(logs)
        if plan is not None:
            follow(plan)
        client = clients[int(context.node_config["partition-id"])]
        with logger.contextualize(client=client.name):
            try:
                content = work(client, message.content)
            except Zk0Error as problem:
                logger.error("{}", problem)
                content = to_record(
                    ClientError(
                        client=client.name,
                        reason=str(problem),
                        usage=isinstance(problem, UsageError),
                    )
                )
        return Message(content, reply_to=message)

    def describe(client: ClientPlan, record: RecordDict) -> RecordDict:
        recipe = accept(from_record(record, Recipe))
        return to_record(session_for(client, recipe, folder).schema_report())

    def train(client: ClientPlan, record: RecordDict) -> RecordDict:
        from loguru import logger

        order = from_record(record, RoundOrder)
        order = attrs.evolve(order, recipe=accept(order.recipe))
        logger.info("round {}: {} bytes received", order.round, bytes_in(record))
        encoded = tensors_from(record, "params", "the server")
        extra = tensors_from(record, "extra", "the server")
        session = session_for(client, order.recipe, folder)
        report, update, sent_besides = session.train(order, encoded, extra, progress)
        return to_record(report, update=pack(update), extra=pack(sent_besides))

    @app.query(QUERY_SCHEMA.partition(".")[2])
    def on_schema(message: Message, context: Context) -> Message:
        return answer(message, context, describe)

    @app.train()
    def on_train(message: Message, context: Context) -> Message:
        return answer(message, context, train)

    return app


def server_app(server: "Server", over: Callable[[Grid], Any] = lambda grid: grid) -> ServerApp:
    """Return the app that runs `server`'s rounds, `over` what it makes of Flower's Grid."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        server.run(over(grid))

    return app


def recipe_of(plan: RunPlan) -> Recipe:
    """Return what of `plan` all clients train alike."""
    return Recipe(
        seed=plan.seed,
        policy=plan.policy,
        strategy=plan.strategy,
        codec=plan.codec,
        batch_size=plan.batch_size,
        optimizer_state=plan.optimizer_state,
        threads=plan.threads,
        device=chosen_device(plan.device),
        amp=plan.amp,
        gradient_accumulation=plan.gradient_accumulation,
        normalization=plan.normalization,
        cache_bytes=cache_share(plan),
    )
