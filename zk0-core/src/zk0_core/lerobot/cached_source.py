"""Training examples of which the frozen part is computed already; SmolVLA only."""

from collections.abc import Sequence

import numpy as np
import torch

from zk0_core.lerobot.examples import Chunks
from zk0_core.lerobot.prefix_cache import FrameCache, Kind, as_computed
from zk0_core.lerobot.prefix_model import Batch
from zk0_core.lerobot.rows import Rows


class CachedSource:
    """Examples from the caches of a dataset's parts."""

    def __init__(
        self,
        kind: Kind,
        chunks: Chunks,
        caches: Sequence[FrameCache],
        state: torch.Tensor,
        action: torch.Tensor,
        device: str,
    ) -> None:
        """Serve `chunks` from normalised state (N, max_state_dim), action (N, max_action_dim).

        The `caches`, one a part of the dataset, have N frames together. Prefixes of fewer tokens
        than the longest are padded at their end.
        """
        self.kind = kind
        self._chunks = chunks
        self._values = Rows([cache.values for cache in caches])
        self._small = {"state": state}
        for name in caches[0].small:
            rows = Rows([cache.small[name] for cache in caches])
            self._small[name] = torch.from_numpy(rows[np.arange(len(rows))])
        self._action = action
        self._device = device
        # Attention is faster without a mask.
        mask = self._small.get("mask")
        self._unpadded = mask is not None and bool(mask[torch.from_numpy(chunks.frames)].all())

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._chunks.frames)

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
            "valid": torch.from_numpy(~padding).to(self._device),
        }
        at = torch.from_numpy(frames)
        for name, rows in self._small.items():
            batch[name] = rows[at].to(self._device)
        if self._unpadded:
            batch["mask"] = None
        return batch
