"""What the base of the tiny SmolVLA is held to, and how far from it what it reads is."""

from collections.abc import Sequence

import attrs
import numpy as np
import torch
import torch.nn.functional as F

from zk0_core.lerobot.tiny_vlm import TOKENS_ACROSS
from zk0_core.sim.base_reader import Reading
from zk0_core.sim.base_scenes import BaseScenes

TOKENS_WEIGHT = 0.2
"""Of the cross-entropy over tokens, beside the distances in deviations of the labels."""

_OUTSIDE = -100
"""Stands for no token: cross_entropy leaves it out by itself."""


@attrs.frozen(eq=False)
class BaseTargets:
    """The labels of all scenes, normalised by their mean and deviation over the scenes."""

    mean: np.ndarray  # (LABELS,)
    deviation: np.ndarray  # (LABELS,)
    labels: torch.Tensor  # (scenes, LABELS)
    by_colour: torch.Tensor  # (scenes, colours, 3), NaN where no cube has the colour
    tokens: torch.Tensor  # (scenes, cameras) which token shows the named cube, or _OUTSIDE

    @classmethod
    def of(cls, drawn: BaseScenes) -> "BaseTargets":
        """Return what `drawn` is to be read as."""
        mean, deviation = drawn.labels.mean(axis=0), drawn.labels.std(axis=0)
        return cls(
            mean,
            deviation,
            torch.from_numpy((drawn.labels - mean) / deviation),
            torch.from_numpy((drawn.by_colour - mean[:3]) / deviation[:3]),
            torch.from_numpy(tokens_at(drawn.seen_at)),
        )

    def loss(self, reading: Reading, scenes: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Return how far `reading` is from what `scenes` are."""
        labels = self.labels[scenes]
        loss = F.smooth_l1_loss(reading.labels, labels.expand_as(reading.labels))
        if reading.by_colour is not None:
            places = self.by_colour[scenes]
            there = ~places.isnan()
            loss = loss + F.smooth_l1_loss(reading.by_colour[there], places[there])
        if reading.tokens is not None:
            # A coarse answer at every token teaches words within minutes; from distances alone,
            # which all tokens share, which of two cubes is meant is hardly learned at all.
            scores = reading.tokens
            tokens = self.tokens[scenes].expand(scores.shape[:-1])
            loss = loss + TOKENS_WEIGHT * F.cross_entropy(
                scores.flatten(0, -2), tokens.flatten(), ignore_index=_OUTSIDE
            )
        return loss

    def errors(self, labels: torch.Tensor) -> np.ndarray:
        """Return how far the last head is off on the first scenes, in the labels' own units.

        Args:
            labels: What it read there, (scenes, LABELS), normalised.
        """
        off = (labels - self.labels[: len(labels)]).abs().numpy()
        errors: np.ndarray = off * self.deviation
        return errors


def tokens_at(seen_at: np.ndarray) -> np.ndarray:
    """Return which token of its picture shows each place, row by row; _OUTSIDE for none.

    Args:
        seen_at: (..., 2), right and down in parts of the picture; anything outside [0, 1) and NaN
            are not in it.
    """
    inside = np.all((seen_at >= 0) & (seen_at < 1), axis=-1, keepdims=True)
    cells = (np.where(inside, seen_at, 0) * TOKENS_ACROSS).astype(np.int64)
    tokens = cells[..., 1] * TOKENS_ACROSS + cells[..., 0]
    return np.where(inside[..., 0], tokens, _OUTSIDE)
