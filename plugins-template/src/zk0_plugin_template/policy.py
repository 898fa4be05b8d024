"""The tiny SmolVLA, with shorter chunks of actions.

A policy of your own has a family with `default_lr`, `default_batch_size` and `load`, which returns
what `zk0_core.Policy` describes.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zk0_core import PolicyFamily

CHUNK = 8
"""Actions predicted at a time."""
EXECUTED = 4
"""Of those, how many are executed before looking again."""


def build(options: object) -> "PolicyFamily":
    """Return the family."""
    from zk0_core.lerobot.families import TinySmolVLAFamily

    return TinySmolVLAFamily(CHUNK, EXECUTED)
