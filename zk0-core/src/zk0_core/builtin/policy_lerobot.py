"""Any policy in LeRobot's format: SmolVLA, ACT and others, from a folder or the Hub."""

from typing import TYPE_CHECKING

import attrs

from zk0_core.records import PolicyPlugin
from zk0_core.validators import between

if TYPE_CHECKING:
    from zk0_core.protocols import PolicyFamily


@attrs.frozen(kw_only=True)
class LeRobotOptions:
    """Options of `lerobot`."""

    path: str = attrs.field(metadata={"help": "Folder, or Hub id such as lerobot/smolvla_base."})
    cameras: str = attrs.field(
        default="",
        metadata={
            "help": "Which of the policy's cameras to use, commas between; empty for all, so that "
            "a dataset that lacks one is an error."
        },
    )
    noise_scale: float = attrs.field(
        default=1.0,
        validator=between(0.0, 1.0),
        metadata={
            "help": "SmolVLA's noise when acting, times this, 0 to 1: 0 always gives one plan for "
            "one view, 1 samples as in training. Other policies take 1 only."
        },
    )


def build(options: LeRobotOptions) -> "PolicyFamily":
    """Return the family."""
    from zk0_core.lerobot.families import LeRobotFamily

    cameras = [name.strip() for name in options.cameras.split(",") if name.strip()]
    return LeRobotFamily(options.path, cameras, options.noise_scale)


PLUGIN = PolicyPlugin(
    name="lerobot",
    summary="A saved LeRobot policy (SmolVLA, ACT ...) from a folder or the Hub",
    options=LeRobotOptions,
    build=build,
)
