"""What processes that carry large messages keep of the memory that they are done with.

glibc gives what a piece of a message took back to the system at once, and what it gets for the next
one is filled with zeros first: a fifth of the processor time of a large round. Other C libraries do
not know these names.

Source: mallopt(3), "Environment variables".
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

KEPT_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**29),
}
"""What is smaller than 32 MB, the most that glibc takes here, comes from one heap for all threads,
and up to 512 MB at its end stay. It is looked at when a process starts."""


def kept_memory() -> dict[str, str]:
    """Return the environment for that; what is set already stays."""
    return {name: os.environ.get(name, value) for name, value in KEPT_MEMORY.items()}


@contextmanager
def memory_kept_by_children() -> Iterator[None]:
    """Have processes that are started within the block inherit that environment."""
    missing = KEPT_MEMORY.keys() - os.environ.keys()
    os.environ.update({name: KEPT_MEMORY[name] for name in missing})
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]
