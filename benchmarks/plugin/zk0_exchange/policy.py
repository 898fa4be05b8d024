"""A policy whose every value changes in a step, without a gradient or an optimizer's memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from zk0_exchange.stamps import stamp
from zk0_exchange.values import named_values


class ExchangePolicy:
    """Multiplies all values by nearly 1, by how much depends on the data."""

    def __init__(self, values: int, seed: int) -> None:
        self.module = torch.nn.Module()
        for name, tensor in named_values(values, seed).items():
            self.module.register_parameter(name, torch.nn.Parameter(torch.from_numpy(tensor)))
        # The one value that has a gradient: an optimizer needs one.
        self.module.anchor = torch.nn.Parameter(torch.zeros(1))

    def trainable(self) -> dict[str, Any]:
        """Return all parameters."""
        return dict(self.module.named_parameters())

    def frozen_fingerprint(self) -> str:
        """Return a name for what is not exchanged: nothing."""
        return "exchange"

    def check(self, schema: Any, who: str) -> None:
        """Take any dataset."""

    def source(
        self, dataset: Any, episodes: Sequence[int], progress: Any = None
    ) -> "ExchangeSource":
        """Return the first number of each action."""
        return ExchangeSource(torch.from_numpy(dataset.action[:, 0].copy()))

    def loss(self, batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Change all values; every byte of the update is another one, as after real training."""
        stamp("train")
        with torch.no_grad():
            for values in self.module.parameters():
                values.mul_(1 + 1e-3 * float(batch.mean()))
        return self.module.anchor.square().sum()

    def save(self, folder: Path) -> None:
        """Write the values."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.module.state_dict(), folder / "model.safetensors")


class ExchangeSource:
    """Numbers, in place of frames."""

    def __init__(self, values: torch.Tensor) -> None:
        self._values = values  # (N,)

    def __len__(self) -> int:
        return len(self._values)

    def batch(self, indices: Sequence[int]) -> torch.Tensor:
        """Return some of them."""
        return self._values[list(indices)]


class ExchangeFamily:
    """Makes policies of one size."""

    default_lr = 0.1
    default_batch_size = 4

    def __init__(self, values: int) -> None:
        self._values = values

    def load(self, schema: Any, statistics: Any, *, seed: int, device: str) -> ExchangePolicy:
        """Return a policy with random values."""
        return ExchangePolicy(self._values, seed)
