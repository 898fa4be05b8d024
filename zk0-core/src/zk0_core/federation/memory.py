"""What processes that carry large messages keep of the memory that they are done with.

glibc gives arrays of megabytes back to the system at once, and what it gets for the next piece of a
message is filled with zeros first: a fifth of the processor time of a large round. Other C
libraries do not know these names.

Source: mallopt(3), "Environment variables".
"""

import os

KEPT_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": str(2**29),
}
"""Up to 512 MB that are not used stay with a process; it is looked at when the process starts."""


def kept_memory() -> dict[str, str]:
    """Return the environment for that; what is set already stays."""
    return {name: os.environ.get(name, value) for name, value in KEPT_MEMORY.items()}
