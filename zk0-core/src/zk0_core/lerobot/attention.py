"""SmolVLA's attention: what sees what, rotary positions, grouped queries.

S prefix tokens, C action steps in each of B chunks, H heads for queries and G ≤ H for keys and
values, of width D each.
"""

import math

import torch
import torch.nn.functional as F

Rotation = tuple[torch.Tensor, torch.Tensor]


def rotation(positions: torch.Tensor, head: int) -> Rotation:
    """Return cosine and signed sine, (B, T, 1, head), of SmolVLA's rotary embedding.

    Args:
        positions: (B, T), or (1, T) for the same in every row.
        head: Width of one head.
    """
    half = head // 2
    exponents = (2.0 / head) * torch.arange(half, dtype=torch.float32, device=positions.device)
    radians = (positions[..., None].float() / 10_000**exponents)[:, :, None]
    cos, sin = radians.cos(), radians.sin()
    return torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)


def rotated(flat: torch.Tensor, by: Rotation, head: int) -> torch.Tensor:
    """Return (B, T, heads · head) with every head turned to its token's position."""
    cos, sin = by
    heads = flat.unflatten(-1, (-1, head)).float()
    turned = heads * cos + heads.roll(head // 2, dims=-1) * sin
    return turned.flatten(-2).to(flat.dtype)


def attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    head: int,
    bias: torch.Tensor | None,
) -> torch.Tensor:
    """Return grouped-query attention, (B, T, H·D), of query (B, T, H·D) over (B, U, G·D)."""
    q, k, v = (x.unflatten(-1, (-1, head)).transpose(1, 2) for x in (query, keys, values))
    if v.dtype == torch.float32:
        # Queries and keys of bfloat16 weights are widened, as SmolVLA does it.
        q, k = q.float(), k.float()
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, enable_gqa=True)
    else:
        seen = _rounded_attention(q, k, v, bias)
    return seen.transpose(1, 2).flatten(2)


def _rounded_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Return attention whose weights are computed in float32 and rounded to the values' type."""
    groups = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(groups, dim=1) for x in (k, v))
    logits = q.float() @ k.float().transpose(2, 3) * q.shape[-1] ** -0.5
    weights = (logits if bias is None else logits + bias).softmax(dim=-1)
    return weights.to(v.dtype) @ v


class Bias:
    """What may be attended to, as numbers added to the attention's logits."""

    def __init__(self, prefix: torch.Tensor, mask: torch.Tensor | None, chunk: int) -> None:
        """Let chunks of so many steps see themselves, causally, and the prefix.

        Args:
            prefix: (B, L, 2, S, G·D), see `cached_loss`.
            mask: (B, S) bool, which of its tokens are no padding; None when all are.
            chunk: C.
        """
        batch, tokens = prefix.shape[0], prefix.shape[3]
        causal = torch.full((chunk, chunk), -math.inf, device=prefix.device).triu(1)
        self.prefix: torch.Tensor | None = None
        """None or (B, 1, 1, S + 1): the prefix and the state token."""
        if mask is None:
            self.first = torch.full((1, 1), tokens, device=prefix.device)
            """(B or 1, 1): the position after the prefix."""
            self.joint = torch.cat([causal.new_zeros(chunk, tokens + 1), causal], dim=1)
            """(C, S + 1 + C) or (B, 1, C, S + 1 + C): what the actions see besides."""
            return
        self.first = mask.sum(dim=1, keepdim=True)
        padding = causal.new_zeros(batch, tokens + 1)
        padding[:, :tokens].masked_fill_(~mask, -math.inf)
        self.prefix = padding[:, None, None]
        self.joint = torch.cat(
            [
                self.prefix.expand(batch, 1, chunk, tokens + 1),
                causal.expand(batch, 1, chunk, chunk),
            ],
            dim=-1,
        )
