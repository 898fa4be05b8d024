"""What zk0 asks of each kind of plugin."""

from zk0_one_cycle.contracts import *  # noqa: F403
