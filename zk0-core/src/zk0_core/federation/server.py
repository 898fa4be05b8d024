"""The server of a federation: SuperLink, launcher and front, and the runs that are submitted."""

import os
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

from loguru import logger

from zk0_core.engines._flower_control import Control, KnownNode
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation.authority import ANYWHERE
from zk0_core.federation.conductor import Conductor
from zk0_core.federation.connecting import place
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.front_process import bound
from zk0_core.federation.insecure import LOOPBACK, PLAIN, check_loopback
from zk0_core.federation.processes import Child, free_port, is_running, stop_all
from zk0_core.federation.records import ServerProcess, ServerSettings, read, write
from zk0_core.federation.renewal import Renewal
from zk0_core.federation.runs import now
from zk0_core.federation.server_processes import children_of
from zk0_core.federation.signals import LOG_FORMAT, ended_by_signal, is_held, only_one
from zk0_core.logs import add_log

LOOK_SECONDS = 0.3
START_SECONDS = 90.0
"""What the SuperLink gets to come up the first time."""
WITH_TLS = "start with --tls"
"""What to do rather than to serve others without."""


def settings_of(folder: ServerFolder) -> ServerSettings:
    """Return what the server was asked for.

    Raises:
        UsageError: if it was never started.
    """
    settings = read(folder.settings, ServerSettings)
    if settings is None:
        raise UsageError(
            f"federation '{folder.name}' has no server here; zk0 server start makes one"
        )
    return settings


def process_of(folder: ServerFolder) -> ServerProcess | None:
    """Return the server that runs in `folder`; None if none does."""
    process = read(folder.process, ServerProcess)
    return process if process and is_running(process.pid) and is_held(folder.lock) else None


def running(folder: ServerFolder) -> ServerProcess:
    """Return the server that runs in `folder`.

    Raises:
        UsageError: if none does.
    """
    process = process_of(folder)
    if process is None:
        raise UsageError(
            f"the server of federation '{folder.name}' does not run here; zk0 server start "
            f"--name {folder.name}"
        )
    return process


def control_of(folder: ServerFolder) -> Control:
    """Return the way to the SuperLink of a server that runs here.

    Raises:
        UsageError: if none does.
    """
    return Control(running(folder).control, folder.ca)


def known_nodes(folder: ServerFolder) -> list[KnownNode]:
    """Return the approved nodes of a server that runs here."""
    with closing(control_of(folder)) as control:
        return control.nodes()


def is_named(settings: ServerSettings) -> bool:
    """Whether somebody said how nodes reach the server; it is this machine's own name otherwise."""
    return bool(settings.names) or settings.host not in ANYWHERE


def public_address(settings: ServerSettings) -> str:
    """Return HOST:PORT as nodes are told it, with http:// before it where it has no TLS."""
    host = settings.host
    if host in ANYWHERE:
        host = settings.names[0] if settings.names else socket.gethostname()
    where = place(host, settings.port)
    return PLAIN + where if settings.insecure else where


def check_port(settings: ServerSettings) -> None:
    """Raise UsageError if the port cannot be listened on."""
    try:
        bound(settings.host, settings.port).close()
    except OSError as problem:
        raise UsageError(
            f"cannot listen on {place(settings.host, settings.port)}: {problem.strerror}; choose "
            "another with --host and --port, or stop what uses it"
        ) from None


def serve(folder: ServerFolder) -> None:
    """Run the server of `folder` until it is told to end.

    Raises:
        UsageError: if it runs already, its port is taken, or it would have no TLS outside.
        Zk0Error: if the SuperLink does not come up.
    """
    settings = settings_of(folder)
    if settings.insecure:
        check_loopback(settings.host, str(folder.settings), WITH_TLS)
    busy = f"the server of '{folder.name}' runs already; zk0 server status --name {folder.name}"
    with only_one(folder.lock, busy), ended_by_signal() as ended:
        # Of one that was killed; it is not to pass for ours while we start.
        folder.process.unlink(missing_ok=True)
        check_port(settings)
        control = f"{LOOPBACK}:{free_port()}"
        children = children_of(folder, settings, control)
        try:
            for child in children:
                child.start()
            superlink, launcher, *_, front = children
            host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(settings.host, settings.host)
            _await_listening(superlink, control, ended)
            _await_listening(front, f"{host}:{settings.port}", ended)
            address = public_address(settings)
            write(
                folder.process,
                ServerProcess(pid=os.getpid(), started=now(), address=address, control=control),
            )
            logger.info("federation '{}' is served at {}", folder.name, address)
            # Closed before the SuperLink is asked to end: it waits for who is connected.
            with closing(Control(control, folder.ca)) as ours:
                conductor = Conductor(folder, ours, settings)
                renewal = None if settings.insecure else Renewal(folder, settings)
                while not ended:
                    if renewal and renewal.look():
                        front.load_again()
                    for child in children:
                        if child.revive() and child is launcher:
                            conductor.launcher_died()
                    conductor.look()
                    time.sleep(LOOK_SECONDS)
        finally:
            folder.process.unlink(missing_ok=True)
            stop_all(children)
            logger.info("ended")


def _await_listening(child: Child, address: str, ended: list[int]) -> None:
    """Return when `child` listens at `address`.

    Raises:
        Zk0Error: if it ends, or does not listen in time.
    """
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + START_SECONDS
    while not ended:
        if not child.alive or time.monotonic() > deadline:
            raise Zk0Error(f"the {child.name} did not start; its log says why: {child.log}")
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            time.sleep(0.2)


def main(arguments: list[str]) -> None:
    """Serve the folder `arguments[0]`, with a log beside it."""
    folder = ServerFolder(Path(arguments[0]))
    logger.remove()
    add_log(folder.logs / "server.log", format=LOG_FORMAT)
    try:
        serve(folder)
    except Zk0Error as problem:
        logger.error("{}", problem)
        print(f"Error: {problem}", file=sys.stderr, flush=True)
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main(sys.argv[1:])
