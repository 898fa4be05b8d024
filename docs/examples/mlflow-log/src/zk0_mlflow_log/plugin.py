"""What this package adds to zk0; the entry point in pyproject.toml names this module.

Importing it registers records and does nothing else: what is heavy is imported in what `build`
returns.
"""

from collections.abc import Iterable

from zk0_core import ReporterPlugin, hookimpl

ZK0_API = 1
"""The plugin interface that this was written for."""


@hookimpl
def zk0_reporters() -> Iterable[ReporterPlugin]:
    """Yield the reporters of this package."""
    from zk0_mlflow_log.reporter import MlflowLog, MlflowOptions

    yield ReporterPlugin(
        name="mlflow-log",
        summary="Runs in MLflow, in folders of this machine",
        options=MlflowOptions,
        build=MlflowLog,
    )
