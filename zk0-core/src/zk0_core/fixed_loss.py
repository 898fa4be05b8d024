"""A policy's own training loss on given frames, with the same noise and times every time."""

import torch

from zk0_core.protocols import BatchSource, Policy
from zk0_core.seeds import derive_seed

BATCH_SIZE = 64


def fixed_loss(policy: Policy, source: BatchSource, device: str) -> float:
    """Return the mean loss of `policy` over the frames of `source`; one model has one number."""
    noise = torch.Generator(device).manual_seed(derive_seed(0, "evaluation"))
    policy.module.eval()
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(source), BATCH_SIZE):
            indices = list(range(start, min(start + BATCH_SIZE, len(source))))
            total += float(policy.loss(source.batch(indices), noise)) * len(indices)
    return total / len(source)
