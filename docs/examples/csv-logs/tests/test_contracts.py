"""What zk0 asks of each kind of plugin."""

from zk0_csv.contracts import *  # noqa: F403
