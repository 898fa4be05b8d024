"""Local training against LeRobot's own loop: how many times faster a step is."""

import os
from typing import Any

import attrs
from measure import Measure

DEFAULT_STEPS = 1500
"""Steps of each client in the embedded default: 150 rounds of 10."""

CORES = len(os.sched_getaffinity(0))

SAME_LOSS = 1e-5
"""How far, relatively, losses may be apart that are the same but for sums in another order."""


def train_step_vs_lerobot_tiny(short: bool) -> Measure:
    """How many times faster than LeRobot's loop, tiny SmolVLA, batch 32, the default's length."""
    import models
    import training

    uri = f"sim:lift?region=left&episodes={3 if short else 50}"
    steps, compared = (20, 6) if short else (200, 40)

    def compare(threads: int) -> Any:
        return training.compare(models.tiny(uri), uri, 32, steps, compared, threads=threads)

    seen = [compare(threads) for threads in sorted({1, CORES})]
    with training.one_core():
        alone = compare(1)
    # All cores for each side, and the number of threads that is best for it.
    ours = min(seen, key=lambda each: each.seconds(DEFAULT_STEPS))
    theirs = min(seen, key=lambda each: each.lerobot_step)
    best = attrs.evolve(
        ours,
        lerobot_step=theirs.lerobot_step,
        loss_difference=max(each.loss_difference for each in (*seen, alone)),
    )
    measure = _compared(best, best.ratio(DEFAULT_STEPS), compared)
    more = {
        "steps": DEFAULT_STEPS,
        "lerobot_threads": theirs.threads,
        "one_core_each": alone.ratio(DEFAULT_STEPS),
        "one_thread_each": seen[0].ratio(DEFAULT_STEPS),
    }
    return attrs.evolve(measure, facts={**measure.facts, **more})


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

    uri = f"sim:lift?region=left&episodes={1 if short else 2}"
    if short:
        steps = compared = 3
    seen = training.compare(
        models.real(uri, device), uri, batch_size, steps, compared, amp=amp, threads=CORES
    )
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
            "threads": seen.threads,
        },
    )
