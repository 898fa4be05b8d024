"""What SmolVLA's flow matching draws at random, from a generator of its own."""

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig


def flow_noise(config: "SmolVLAConfig", count: int, generator: torch.Generator) -> torch.Tensor:
    """Return standard normal noise, (count, chunk_size, max_action_dim)."""
    shape = (count, config.chunk_size, config.max_action_dim)
    return torch.randn(shape, generator=generator, device=generator.device)


def flow_times(count: int, generator: torch.Generator) -> torch.Tensor:
    """Return `count` times as SmolVLA draws them: Beta(1.5, 1) · 0.999 + 0.001.

    torch's Beta takes no generator. The distribution function of Beta(a, 1) is x**a, whose
    inverse is u**(1/a).
    """
    uniform = torch.rand(count, generator=generator, device=generator.device)
    return uniform ** (1 / 1.5) * 0.999 + 0.001


def flow_draws(
    config: "SmolVLAConfig", count: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return noise and times of `count` training examples."""
    noise = flow_noise(config, count, generator)
    return noise, flow_times(count, generator)
