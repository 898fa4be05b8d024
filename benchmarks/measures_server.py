"""What a round costs the line and the server: bytes and peak memory."""

from measure import Measure


def bytes_up_mb_real_int8(short: bool) -> Measure:
    """MB that a client sends in a round with int8, SmolVLA's real size; beside float32."""
    import models

    from zk0_core.plan import PluginChoice
    from zk0_core.server.budget import round_budget
    from zk0_core.testing import examples

    policy = models.real("sim:lift?region=left&episodes=1")
    budgets = {
        name: round_budget(policy, examples.plan(codec=PluginChoice("codec", name)), 4)
        for name in ("int8", "float32", "bfloat16", "topk")
    }
    up = {name: budget.up / 1e6 for name, budget in budgets.items()}
    return Measure(
        value=up["int8"],
        ours=up["int8"],
        theirs=up["float32"],
        samples=1,
        facts={
            "bfloat16_up_mb": up["bfloat16"],
            "topk_up_mb": up["topk"],
            "int8_down_mb": budgets["int8"].down / 1e6,
        },
    )


def server_peak_fedavg(short: bool) -> Measure:
    """The server's peak memory with 64 clients over that with 4; 25 million parameters."""
    return _peak("fedavg", short)


def server_peak_fedprox(short: bool) -> Measure:
    """The same with fedprox."""
    return _peak("fedprox", short)


def server_peak_fedadam(short: bool) -> Measure:
    """The same with fedadam."""
    return _peak("fedadam", short)


def server_peak_scaffold(short: bool) -> Measure:
    """The same with scaffold, whose clients send twice as much."""
    return _peak("scaffold", short)


def server_peak_64_over_4(short: bool) -> Measure:
    """The server's peak memory, MiB, with 64 clients over that with 4; 100 million parameters."""
    return _peak("fedavg", short, 25_000_000 if short else 100_000_000)


def _peak(strategy: str, short: bool, size: int = 25_000_000) -> Measure:
    import memory

    few, many = (memory.in_own_process(strategy, n, size) for n in (4, 8 if short else 64))
    over = many / memory.sent_mib(strategy, size)
    return Measure(
        value=many / few, ours=many, theirs=few, samples=1, facts={"over_bytes_sent": over}
    )
