"""What zk0 asks of each kind of plugin."""

from zk0_fed_nova.contracts import *  # noqa: F403
