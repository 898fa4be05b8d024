"""Takes runs from the SuperLink and forks a ServerApp for each: what Flower's SuperExec does.

All that a ServerApp imports is imported before the fork, so that it is there at once: one that
needs half a minute to come up loses its task, which is then given to another one, and so on.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from zk0_core.engines._flower_network import run_server_app
from zk0_core.engines._flower_tasks import TaskSource
from zk0_core.federation.folder import ServerFolder

LOOK_SECONDS, BUSY_SECONDS = 0.5, 2.0
"""Between two looks for a run: where none goes on, and beside one, since runs come one by one."""
PARENT_SECONDS = 0.2


def launch(folder: ServerFolder, control: str) -> None:
    """Fork a ServerApp for every run that the SuperLink at `control` has."""
    # Nothing of these may start a thread: a fork takes only one along.
    import flwr.superlink.runtime  # noqa: F401

    import zk0_core.engines.bundle
    import zk0_core.engines.deployment
    import zk0_core.server.server  # noqa: F401

    print("ready", flush=True)
    while True:
        source = TaskSource(control, folder.secret.read_bytes(), folder.ca)
        while not (token := source.take_run()):
            time.sleep(BUSY_SECONDS if _reap() else LOOK_SECONDS)
        # A fork would share the connection.
        source.close()
        if os.fork() == 0:
            _become_server_app(folder, control, token)


def _become_server_app(folder: ServerFolder, control: str, token: str) -> None:
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        run_server_app(control, folder.ca, token, folder.pieces, os.getppid())
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _end_with(launcher: int) -> None:
    """End this process once `launcher` has: another ServerApp goes on with the run's folder.

    At once: Flower would go on trying to tell a SuperLink that may be gone.
    """
    while os.getppid() == launcher:
        time.sleep(PARENT_SECONDS)
    os._exit(1)


def _reap() -> bool:
    """Let the system forget the ServerApps that have ended; return whether one goes on."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def main(arguments: list[str]) -> None:
    """Launch for the server in the folder `arguments[0]`, whose SuperLink is `arguments[1]`."""
    signal.signal(signal.SIGTERM, _end)
    launch(ServerFolder(Path(arguments[0])), arguments[1])


if __name__ == "__main__":
    main(sys.argv[1:])
