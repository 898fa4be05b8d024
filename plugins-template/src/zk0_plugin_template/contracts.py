"""What zk0 asks of each kind of plugin, run on those of this package.

`zk0 plugins test` finds this module beside plugin.py, and pytest runs it from the tests. A check
that cannot hold for a plugin is named in `exceptions`, with the reason.
"""

from zk0_core.testing import (
    CodecContract,
    EvaluatorContract,
    LoaderContract,
    MuScheduleContract,
    PolicyContract,
    ReporterContract,
    ScheduleContract,
    StrategyContract,
)


class TestStrategy(StrategyContract):
    """The strategy."""

    plugin = "plugin-template"


class TestScheduler(ScheduleContract):
    """The learning-rate scheduler."""

    plugin = "plugin-template"


class TestMuScheduler(MuScheduleContract):
    """The scheduler of the proximal weight."""

    plugin = "plugin-template"


class TestLoader(LoaderContract):
    """The dataset loader."""

    plugin = "plugin-template"
    address = "plugin-template:episodes=3"


class TestEvaluator(EvaluatorContract):
    """The evaluator."""

    plugin = "plugin-template"


class TestPolicy(PolicyContract):
    """The policy."""

    plugin = "plugin-template"


class TestReporter(ReporterContract):
    """The reporter."""

    plugin = "plugin-template"


class TestCodec(CodecContract):
    """The codec."""

    plugin = "plugin-template"
