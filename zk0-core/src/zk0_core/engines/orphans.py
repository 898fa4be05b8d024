"""Processes that end when the one that started them is gone, however it went."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Let this process end as soon as its parent has; for the first call of a worker.

    A worker waits for work on a pipe of which it holds both ends itself, so it would wait for
    ever after a parent that was killed. The process that `multiprocessing` calls the parent is the
    one that asked for the worker, not the fork server.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "only a process that multiprocessing started has a parent to watch"

    def watch() -> None:
        parent.join()
        # At once: whatever this process is at, nobody waits for it. Files are whole or not there.
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
