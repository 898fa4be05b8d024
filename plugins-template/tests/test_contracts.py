"""What zk0 asks of each kind of plugin."""

from zk0_plugin_template.contracts import *  # noqa: F403
