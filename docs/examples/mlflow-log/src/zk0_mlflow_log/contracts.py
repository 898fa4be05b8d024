"""What zk0 asks of each kind of plugin, run on those of this package.

`zk0 plugins test` finds this module beside plugin.py, and pytest runs it from the tests. A check
that cannot hold for a plugin is named in `exceptions`, with the reason.
"""

from zk0_core.testing import ReporterContract


class TestReporter(ReporterContract):
    """The reporter."""

    plugin = "mlflow-log"
