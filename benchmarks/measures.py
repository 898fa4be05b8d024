"""What is measured, one function a figure, each with the size for a look (`short`) and in full."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

DEFAULT_STEPS = 1500
"""Steps of each client in the embedded default: 150 rounds of 10."""

SAME_LOSS = 1e-5
"""How far, relatively, losses may be apart that are the same but for sums in another order."""


@attrs.frozen(kw_only=True)
class Measure:
    """One figure."""

    value: float
    """What is to be large or small: a ratio, a share, a number of MB."""
    ours: float
    theirs: float | None
    """What it is compared with; None for a figure by itself."""
    samples: int
    facts: dict[str, float] = attrs.field(factory=dict)
    """What else was seen."""


def train_step_vs_lerobot_tiny(short: bool) -> Measure:
    """How many times faster than LeRobot's loop, tiny SmolVLA, batch 32, the default's length."""
    import models
    import training

    uri = f"sim:lift?region=left&episodes={3 if short else 50}"
    steps, compared = (20, 6) if short else (200, 40)
    seen = training.compare(models.tiny(uri), uri, 32, steps, compared)
    measure = _compared(seen, seen.ratio(DEFAULT_STEPS), compared)
    return attrs.evolve(measure, facts={**measure.facts, "steps": DEFAULT_STEPS})


def train_step_vs_lerobot_real(short: bool) -> Measure:
    """How many times faster a step is than LeRobot's, SmolVLA's real size, batch 4."""
    return _real_size("cpu", 4, 20, 6, short)


def train_step_vs_lerobot_gpu(short: bool) -> Measure:
    """How many times faster a step is than LeRobot's, SmolVLA's real size, GPU, batch 32."""
    return _real_size("cuda", 32, 200, 40, short)


def train_step_vs_lerobot_gpu_bf16(short: bool) -> Measure:
    """The same in mixed precision, on both sides."""
    return _real_size("cuda", 32, 200, 40, short, amp=True)


def _real_size(
    device: str, batch_size: int, steps: int, compared: int, short: bool, amp: bool = False
) -> Measure:
    import models
    import training

    uri = f"sim:lift?region=left&episodes={1 if short else 5}"
    if short:
        steps = compared = 3
    seen = training.compare(models.real(uri, device), uri, batch_size, steps, compared, amp=amp)
    return _compared(seen, seen.lerobot_step / seen.step, compared, amp)


def _compared(seen: Any, value: float, samples: int, amp: bool = False) -> Measure:
    if not amp and seen.loss_difference > SAME_LOSS:
        raise SystemExit(f"the losses of both loops differ by {seen.loss_difference:.1e}")
    return Measure(
        value=value,
        ours=seen.step,
        theirs=seen.lerobot_step,
        samples=samples,
        facts={
            "cache_seconds": seen.cache_seconds,
            "cache_mb": seen.cache_bytes / 1e6,
            "cache_mb_a_frame": seen.cache_bytes / 1e6 / seen.frames,
            "pays_after_epochs": seen.pays_after,
            "loss_difference": seen.loss_difference,
        },
    )


def data_wait_share(short: bool) -> Measure:
    """Which share of its round a client waits for data, the worst of all."""
    seen = _rounds(short)
    worst = max(seen.waiting)
    return Measure(value=worst, ours=worst, theirs=None, samples=len(seen.waiting))


def round_over_training(short: bool) -> Measure:
    """A round's wall time over the busiest worker's training, 4 clients."""
    seen = _rounds(short)
    return Measure(
        value=seen.over_training,
        ours=statistics.median(seen.wall),
        theirs=statistics.median(seen.training),
        samples=len(seen.wall),
        facts={"client_up_mb": seen.bytes_up / 1e6, "client_down_mb": seen.bytes_down / 1e6},
    )


def _rounds(short: bool) -> Any:
    import rounds

    return rounds.measure(3, 5, 3) if short else rounds.measure(12, 100, 50)


def overhead_vs_flower_ray(short: bool) -> Measure:
    """What a run of 10 rounds takes beside training on Flower's engine Ray, over ours."""
    import engines

    size = (2, 2, 3) if short else (10, 10, 50)
    engines.measure("local", *size)  # recordings and caches are there for both
    pairs = [
        (engines.measure("local", *size), engines.measure("ray", *size))
        for _ in range(1 if short else 3)
    ]
    if len({cost.hashes for pair in pairs for cost in pair}) > 1:
        raise SystemExit("the two engines' parameters differ")
    ours, theirs = zip(*pairs, strict=True)
    middle = statistics.median
    return Measure(
        value=middle(their.overhead / our.overhead for our, their in pairs),
        ours=middle(cost.overhead for cost in ours),
        theirs=middle(cost.overhead for cost in theirs),
        samples=len(pairs),
        facts={
            "wall": middle(cost.wall for cost in ours),
            "wall_on_ray": middle(cost.wall for cost in theirs),
            "training": middle(cost.training for cost in ours),
        },
    )


def per_client_seconds_1000_over_10(short: bool) -> Measure:
    """Seconds a client in a round of 1,000 over those in one of 10; one local step each."""
    import rounds

    few, many = (
        rounds.measure_many(clients, rounds=4 if clients == 10 else 3, episodes=3)
        for clients in (10, 12 if short else 1000)
    )
    return Measure(
        value=many.seconds / few.seconds,
        ours=many.seconds,
        theirs=few.seconds,
        samples=1,
        facts={
            "peak_mib": many.peak_mib,
            "peak_mib_of_10": few.peak_mib,
            "peak_over_that_of_10": many.peak_mib / few.peak_mib,
        },
    )


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
    """The same with fedavg and 100 million parameters."""
    return _peak("fedavg", short, 25_000_000 if short else 100_000_000)


def _peak(strategy: str, short: bool, size: int = 25_000_000) -> Measure:
    import memory

    few, many = (memory.in_own_process(strategy, n, size) for n in (4, 8 if short else 64))
    over = many / memory.sent_mib(strategy, size)
    return Measure(
        value=many / few, ours=many, theirs=few, samples=1, facts={"over_bytes_sent": over}
    )


def round_overhead_over_flower(short: bool) -> Measure:
    """Seconds that a federation's round takes beside training, less plain Flower's whole round."""
    import network

    taken = network.measure(25, 3 if short else 12, ["float32"])
    rounds = taken.ours["float32"]
    median = statistics.median(round.whole - round.training for round in rounds)
    return Measure(
        value=median - taken.flower,
        ours=median,
        theirs=taken.flower,
        samples=len(rounds),
        facts={"flower_with_database": taken.flower_database, **network.medians(rounds)},
    )


def exchange_400mb_over_flower(short: bool) -> Measure:
    """Seconds that 400 MB take to 2 nodes and back, float32, over plain Flower's."""
    import network

    values, rounds = (1_000_000, 2) if short else (100_000_000, 4)
    taken = network.measure(values, rounds, ["float32", "bfloat16"])
    float32, bfloat16 = (
        statistics.median(round.exchange for round in of_codec) for of_codec in taken.ours.values()
    )
    return Measure(
        value=float32 / taken.flower,
        ours=float32,
        theirs=taken.flower,
        samples=len(taken.ours["float32"]),
        facts={
            "bfloat16_over_float32": bfloat16 / float32,
            "bfloat16_over_flower": bfloat16 / taken.flower,
            "over_flower_with_database": float32 / taken.flower_database,
            **network.medians(taken.ours["float32"]),
        },
    )


def help_seconds(short: bool) -> Measure:
    """Seconds until `zk0 --help` has answered."""
    return _answering("--help", short)


def plugins_list_seconds(short: bool) -> Measure:
    """Seconds until `zk0 plugins list` has answered."""
    return _answering("plugins list", short)


def _answering(command: str, short: bool) -> Measure:
    def once() -> float:
        started = time.perf_counter()
        zk0 = Path(sys.executable).with_name("zk0")
        subprocess.run([zk0, *command.split()], check=True, capture_output=True)
        return time.perf_counter() - started

    samples = 2 if short else 11
    median = statistics.median(once() for _ in range(samples))
    return Measure(value=median, ours=median, theirs=None, samples=samples)


Taken = Callable[[bool], Measure]

GPU: tuple[Taken, ...] = (train_step_vs_lerobot_gpu, train_step_vs_lerobot_gpu_bf16)

PROCESSOR: tuple[Taken, ...] = (
    train_step_vs_lerobot_tiny,
    train_step_vs_lerobot_real,
    data_wait_share,
    round_over_training,
    overhead_vs_flower_ray,
    per_client_seconds_1000_over_10,
    bytes_up_mb_real_int8,
    server_peak_fedavg,
    server_peak_fedprox,
    server_peak_fedadam,
    server_peak_scaffold,
    server_peak_64_over_4,
    help_seconds,
    plugins_list_seconds,
    round_overhead_over_flower,
    exchange_400mb_over_flower,
)
