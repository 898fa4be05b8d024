"""Local training with caches against LeRobot's own training loop, on the same batches and noise.

Both start from the same weights, see the same frames in the same order and draw the same noise and
times, so that their losses can be compared. The time for building the cache counts. Both have the
same cores; LeRobot's loop has processes of its data loader on them besides.
"""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

SEED = 0
LR = 1e-3
WARM = 2
"""Steps that are not timed: processes start, kernels are chosen."""


@attrs.frozen(kw_only=True)
class Comparison:
    """Seconds of both loops, and how far their losses are apart."""

    cache_seconds: float
    cache_bytes: int
    step: float
    """Seconds of one step from the cache."""
    lerobot_step: float
    loss_difference: float
    """The largest relative difference of loss among the steps that both took."""
    frames: int
    batch_size: int
    threads: int
    """That both computed with."""

    def seconds(self, steps: int) -> float:
        """Return what `steps` steps take, the cache's building included."""
        return self.cache_seconds + self.step * steps

    def ratio(self, steps: int) -> float:
        """Return how many times faster `steps` steps are, the cache's building included."""
        return self.lerobot_step * steps / self.seconds(steps)

    @property
    def pays_after(self) -> float:
        """Passes over the data after which the cache has paid for itself."""
        steps = self.cache_seconds / max(self.lerobot_step - self.step, 1e-9)
        return steps * self.batch_size / self.frames


def compare(
    policy: Any,
    uri: str,
    batch_size: int,
    steps: int,
    compared: int,
    *,
    amp: bool = False,
    threads: int = 1,
) -> Comparison:
    """Train `policy` both ways on the simulated recording `uri`.

    Args:
        policy: A `LeRobotPolicy` with SmolVLA in it; it is changed.
        uri: A sim: address.
        batch_size: Frames in a step.
        steps: Steps from the cache.
        compared: Steps with LeRobot's loop, the first of them not timed.
        amp: Whether both train in mixed precision, bfloat16.
        threads: That both compute with.
    """
    import torch

    from zk0_core.parameters import set_params, to_numpy
    from zk0_core.parts import open_dataset
    from zk0_core.sim.record import recorded
    from zk0_core.sim.spec import SimSpec

    torch.set_num_threads(threads)
    dataset = open_dataset(uri)
    (folder,) = recorded([SimSpec.parse(uri)], 1)
    start = to_numpy(policy.trainable())
    with tempfile.TemporaryDirectory(prefix="zk0-bench-") as cache, environment(ZK0_CACHE=cache):
        began = time.perf_counter()
        source = policy.source(dataset, [episode.index for episode in dataset.episodes])
        cache_seconds = time.perf_counter() - began
        cache_bytes = sum(path.stat().st_size for path in Path(cache).rglob("*") if path.is_file())
        losses = [
            outcome.policy_loss for outcome in ours(policy, source, batch_size, [1] * compared, amp)
        ]
        (timed,) = ours(policy, source, batch_size, [steps], amp)
    set_params(policy.trainable(), start)
    lerobot_step, expected = theirs(policy, folder, len(source), batch_size, compared, amp)
    return Comparison(
        cache_seconds=cache_seconds,
        cache_bytes=cache_bytes,
        step=(timed.seconds_data + timed.seconds_compute) / steps,
        lerobot_step=lerobot_step,
        loss_difference=max(
            abs(loss - other) / other for loss, other in zip(losses, expected, strict=True)
        ),
        frames=len(source),
        batch_size=batch_size,
        threads=threads,
    )


def ours(policy: Any, source: Any, batch_size: int, rounds: Sequence[int], amp: bool) -> list[Any]:
    """Train as a client does, in rounds of so many steps; return their outcomes."""
    import torch

    from zk0_core.client.optimizer import adamw
    from zk0_core.client.trainer import shuffled_batches, train_locally
    from zk0_core.plan import PluginChoice
    from zk0_core.span import Span
    from zk0_core.testing.loopback import round_order

    order = round_order(PluginChoice("strategy", "fedavg"))
    recipe = attrs.evolve(order.recipe, device=policy.module.config.device, amp=amp)
    order = attrs.evolve(order, recipe=recipe, lr=Span.constant(LR))
    optimizer = adamw(policy.trainable())
    batches = shuffled_batches(len(source), batch_size, SEED)
    noise = torch.Generator().manual_seed(SEED)
    return [
        train_locally(
            policy,
            source,
            None,
            optimizer,
            attrs.evolve(order, local_steps=steps),
            batches,
            noise,
        )
        for steps in rounds
    ]


def theirs(
    policy: Any, folder: Path, frames: int, batch_size: int, steps: int, amp: bool
) -> tuple[float, list[float]]:
    """Take `steps` steps with LeRobot's data loader and `update_policy`.

    Returns:
        Seconds of a step, without the first ones, and the loss of each.
    """
    import itertools

    import torch
    from accelerate import Accelerator
    from lerobot.datasets.factory import resolve_delta_timestamps
    from lerobot.datasets.lerobot_dataset import LeRobotDataset, LeRobotDatasetMetadata
    from lerobot.scripts.lerobot_train import update_policy
    from lerobot.utils.logging_utils import AverageMeter, MetricsTracker

    from zk0_core.client.trainer import MAX_GRAD_NORM, shuffled_batches
    from zk0_core.lerobot.flow import flow_noise, flow_times

    config = policy.module.config
    meta = LeRobotDatasetMetadata("local/bench", root=folder)
    dataset = LeRobotDataset(
        "local/bench",
        root=folder,
        delta_timestamps=resolve_delta_timestamps(config, meta),
        video_backend="pyav",
    )
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_sampler=list(itertools.islice(shuffled_batches(frames, batch_size, SEED), steps)),
        num_workers=min(4, os.cpu_count() or 1),  # LeRobot's default is 4
    )
    # The same noise and times as ours, in the order in which SmolVLA draws them.
    draws = torch.Generator().manual_seed(SEED)
    policy.module.model.sample_noise = lambda shape, device: flow_noise(config, shape[0], draws).to(
        device
    )
    policy.module.model.sample_time = lambda count, device: flow_times(count, draws).to(device)
    optimizer = config.get_optimizer_preset().build(policy.module.get_optim_params())
    for group in optimizer.param_groups:
        group["lr"] = LR
    names = ("loss", "grad_norm", "lr", "update_s")
    metrics = MetricsTracker(
        batch_size,
        frames,
        meta.total_episodes,
        {name: AverageMeter(name, ":.3f") for name in names},
    )
    accelerator = Accelerator(cpu=config.device == "cpu", mixed_precision="bf16" if amp else "no")
    losses, ends = [], []
    for batch in loader:
        _, shown = update_policy(
            metrics, policy.module, policy._pre(batch), optimizer, MAX_GRAD_NORM, accelerator
        )
        losses.append(shown["loss"])
        ends.append(time.perf_counter())
    return (ends[-1] - ends[WARM - 1]) / (steps - WARM), losses


@contextmanager
def one_core() -> Iterator[None]:
    """Leave this process, and what it starts, a single core for a while."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_of_them)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
