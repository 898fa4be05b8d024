"""Where zk0 keeps what it can make again: recordings, decoded frames, prefix caches.

`ZK0_CACHE` names another folder.
"""

import os
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """Return the path of `parts` below the cache folder; nothing is created."""
    root = os.environ.get("ZK0_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "zk0"
    )
    return Path(root).joinpath(*parts)
