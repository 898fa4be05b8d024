"""Every scheduler of the package holds what schedules of its kind must hold."""

from zk0_core.testing.schedule import MuScheduleContract, ScheduleContract


class TestConstant(ScheduleContract):
    plugin = "constant"


class TestCosine(ScheduleContract):
    plugin = "cosine"


class TestWarmRestarts(ScheduleContract):
    plugin = "warm-restarts"


class TestReduceOnPlateau(ScheduleContract):
    plugin = "reduce-on-plateau"


class TestTrend(ScheduleContract):
    plugin = "trend"


class TestAdaptiveBoost(ScheduleContract):
    plugin = "adaptive-boost"


class TestConstantMu(MuScheduleContract):
    plugin = "constant"


class TestDecay(MuScheduleContract):
    plugin = "decay"


class TestLossSpread(MuScheduleContract):
    plugin = "loss-spread"
