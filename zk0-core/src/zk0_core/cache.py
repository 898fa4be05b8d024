"""Where zk0 keeps what it can make again: recordings, decoded frames, prefix caches.

`ZK0_CACHE` names another folder.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zk0_core.plan import RunPlan

SPARE = 2 * 1024**3
"""Bytes of disk that caches and decoded frames leave free."""


def cache_folder(*parts: str) -> Path:
    """Return the path of `parts` below the cache folder; nothing is created."""
    root = os.environ.get("ZK0_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "zk0"
    )
    return Path(root).joinpath(*parts)


_limit: int | None = None


def limit_caches(size: int | None) -> None:
    """Let the caches of one dataset's frozen part take `size` bytes at most, in this process.

    Args:
        size: 0 for none at all; None for whatever the disk has free.
    """
    global _limit
    _limit = size


def cache_limit() -> int | None:
    """Return what `limit_caches` was told last; None when it never was."""
    return _limit


def cache_share(plan: "RunPlan") -> int | None:
    """Return the bytes that the caches of each dataset of `plan` may take: all get the same.

    So the kind of cache that a dataset gets follows from the plan, and not from who came first.
    """
    from zk0_core.parts import reads_episodes

    if plan.cache_gb is None:
        return None
    datasets = {client.dataset for client in plan.clients}
    datasets |= {each.dataset for each in plan.evaluations if reads_episodes(each.evaluator)}
    return int(plan.cache_gb * 1e9 / max(1, len(datasets)))
