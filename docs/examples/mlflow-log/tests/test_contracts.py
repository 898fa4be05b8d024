"""What zk0 asks of each kind of plugin."""

from zk0_mlflow_log.contracts import *  # noqa: F403
