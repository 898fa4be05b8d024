"""What zk0 asks of each kind of plugin."""

from zk0_action_smoothness.contracts import *  # noqa: F403
