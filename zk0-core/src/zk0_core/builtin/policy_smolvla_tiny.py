"""A SmolVLA small enough for one CPU core, on a frozen base that comes with zk0."""

from typing import TYPE_CHECKING

import attrs

from zk0_core.lerobot.tiny_vlm import absolute_base
from zk0_core.records import PolicyPlugin
from zk0_core.validators import between

if TYPE_CHECKING:
    from zk0_core.protocols import PolicyFamily


@attrs.frozen(kw_only=True)
class SmolVLATinyOptions:
    """Options of `smolvla-tiny`."""

    chunk_size: int = attrs.field(
        default=16,
        validator=attrs.validators.ge(1),
        metadata={"help": "Actions predicted at a time, 1 or more."},
    )
    n_action_steps: int = attrs.field(
        default=8,
        validator=attrs.validators.ge(1),
        metadata={"help": "Of those, how many are executed before looking again; 1 to chunk_size."},
    )
    noise_scale: float = attrs.field(
        default=0.0,
        validator=between(0.0, 1.0),
        metadata={
            "help": "The flow's noise when acting, times this, 0 to 1: 0 always gives one plan for "
            "one view, 1 samples as in training."
        },
    )
    base: str = attrs.field(
        default="lift",
        converter=absolute_base,
        metadata={
            "help": "The frozen part: one that comes with zk0, by the tasks whose scenes it has "
            "seen, or a folder of zk0 sim make-base."
        },
    )


def build(options: SmolVLATinyOptions) -> "PolicyFamily":
    """Return the family."""
    from zk0_core.lerobot.families import TinySmolVLAFamily

    return TinySmolVLAFamily(
        options.chunk_size, options.n_action_steps, options.noise_scale, options.base
    )


PLUGIN = PolicyPlugin(
    name="smolvla-tiny",
    summary="SmolVLA with 3.7 million parameters on a base made in the embedded simulator",
    options=SmolVLATinyOptions,
    build=build,
)
