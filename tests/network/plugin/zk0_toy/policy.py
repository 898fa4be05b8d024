"""Learns the mean of the first action: ½ Σ (w_i − action)², with a little noise."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from zk0_toy.plugin import ToyOptions


class ToyPolicy:
    def __init__(self, options: ToyOptions, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.module = torch.nn.Module()
        self.module.w = torch.nn.Parameter(torch.randn(options.values, generator=generator))
        self._options = options

    def trainable(self) -> dict[str, Any]:
        return dict(self.module.named_parameters())

    def frozen_fingerprint(self) -> str:
        return "toy"

    def check(self, schema: Any, who: str) -> None:
        pass

    def source(self, dataset: Any, episodes: Sequence[int], progress: Any = None) -> "ToySource":
        if progress:
            progress("toy cache", 0, 1)
        time.sleep(self._options.cache_seconds)
        return ToySource(torch.from_numpy(dataset.action[:, 0].copy()))

    def loss(self, batch: Any, generator: torch.Generator) -> Any:
        time.sleep(self._options.seconds)
        noise = torch.randn(batch.shape, generator=generator) * 0.1
        return (self.module.w[None, :] - (batch + noise)[:, None]).square().mean() / 2

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.module.state_dict(), folder / "model.safetensors")


class ToySource:
    def __init__(self, values: torch.Tensor) -> None:
        self._values = values  # (N,)

    def __len__(self) -> int:
        return len(self._values)

    def batch(self, indices: Sequence[int]) -> torch.Tensor:
        return self._values[list(indices)]


class ToyFamily:
    default_lr = 0.1
    default_batch_size = 4

    def __init__(self, options: ToyOptions) -> None:
        self._options = options

    def load(self, schema: Any, statistics: Any, *, seed: int, device: str) -> ToyPolicy:
        return ToyPolicy(self._options, seed)
