"""Training examples of which the frozen part is computed already; SmolVLA only."""

from collections.abc import Sequence

import attrs
import numpy as np
import torch

from zk0_core.lerobot.examples import Chunks
from zk0_core.lerobot.prefix_cache import FrameCache, Kind, as_computed
from zk0_core.lerobot.prefix_model import Batch
from zk0_core.lerobot.rows import Rows


@attrs.frozen(eq=False)
class Part:
    """One recording's N frames for one policy; clients of a process that have both share it."""

    cache: FrameCache
    state: torch.Tensor
    """(N, max_state_dim), normalised and padded."""
    action: torch.Tensor
    """(N, max_action_dim), normalised and padded."""


class CachedSource:
    """Examples from the caches of a dataset's parts."""

    def __init__(self, kind: Kind, chunks: Chunks, parts: Sequence[Part], device: str) -> None:
        """Serve `chunks` of the dataset that `parts` make up.

        Prefixes of fewer tokens than the longest are padded at their end.
        """
        self.kind = kind
        self._chunks = chunks
        self._parts = parts
        self._values = Rows([part.cache.values for part in parts])
        self._small = {"state": _joined([part.state.numpy() for part in parts])}
        for name in parts[0].cache.small:
            self._small[name] = _joined([part.cache.small[name] for part in parts])
        self._action = _joined([part.action.numpy() for part in parts])
        self._device = device
        # Attention is faster without a mask.
        mask = self._small.get("mask")
        self._unpadded = mask is not None and bool(mask[torch.from_numpy(chunks.frames)].all())

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._chunks.frames)

    def counted(self, indices: Sequence[int]) -> int:
        """Return over how many steps the loss of the examples at `indices` is a mean."""
        return self._chunks.steps(indices)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return what `cached_loss` takes, or of pictures' embeddings what `with_prefix` does."""
        which = np.asarray(indices)
        frames = self._chunks.frames[which]
        actions, padding = self._chunks.actions(which)
        values = as_computed(self._values[frames])
        batch: Batch = {
            # Converted after the move: of 16 bits, half the bytes travel to a GPU.
            self.kind.name: values.to(self._device).float(),
            "actions": self._action[torch.from_numpy(actions)].to(self._device),
            "steps": within(padding, self._device),
        }
        at = torch.from_numpy(frames)
        for name, rows in self._small.items():
            batch[name] = rows[at].to(self._device)
        if self._unpadded:
            batch["mask"] = None
        return batch


def within(padding: np.ndarray, device: str) -> torch.Tensor | None:
    """Return which steps of chunks are no padding, (B, C) bool, as `cached_loss` takes them.

    They are counted here and not on the device, which would have to be waited for.
    """
    return torch.from_numpy(np.flatnonzero(~padding)).to(device) if padding.any() else None


def _joined(arrays: Sequence[np.ndarray]) -> torch.Tensor:
    """Return the rows of `arrays`; those of a single one are not copied."""
    rows = Rows(arrays)
    return torch.from_numpy(arrays[0] if len(arrays) == 1 else rows[np.arange(len(rows))])
