"""SmolVLA's training loss from a cached prefix: the state token and the action expert only.

The same sums as `SmolVLAPolicy.forward`, without what does not change. S prefix tokens, C action
steps in a chunk, H heads for queries and G ≤ H for keys and values, of width D each.
"""

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy


def cached_loss(
    policy: "SmolVLAPolicy",
    prefix: torch.Tensor,
    mask: torch.Tensor | None,
    state: torch.Tensor,
    actions: torch.Tensor,
    valid: torch.Tensor,
    noise: torch.Tensor,
    time: torch.Tensor,
) -> torch.Tensor:
    """Return the mean loss over a batch of B examples.

    Args:
        policy: Its vision-language model is frozen.
        prefix: (B, L, 2, S, G·D) float32, keys and values of the prefix tokens by layer.
        mask: (B, S) bool, which of them are no padding; None when all are.
        state: (B, max_state_dim), normalised and padded.
        actions: (B, C, max_action_dim), normalised and padded.
        valid: (B, C) bool, steps within the episode.
        noise: Like actions.
        time: (B,) in (0, 1].
    """
    at = time[:, None, None]
    target = noise - actions
    predicted = _velocity(policy, prefix, mask, state, at * noise + (1 - at) * actions, time)
    # Padded dimensions and steps past the episode's end do not count.
    dims = policy.config.action_feature.shape[0]
    squares = F.mse_loss(target[..., :dims], predicted[..., :dims], reduction="none")
    count = (valid.sum() * dims).clamp_min(1)
    return (squares * valid[..., None]).sum() / count


def _velocity(
    policy: "SmolVLAPolicy",
    prefix: torch.Tensor,
    mask: torch.Tensor | None,
    state: torch.Tensor,
    noisy: torch.Tensor,
    time: torch.Tensor,
) -> torch.Tensor:
    """Return the predicted velocity, (B, C, max_action_dim)."""
    model = policy.model
    both = model.vlm_with_expert
    head = both.vlm.config.text_config.head_dim
    vlm_layers, expert_layers = both.get_model_layers(
        [both.get_vlm_model().text_model, both.lm_expert]
    )
    every = both.self_attn_every_n_layers

    token = model.state_proj(state)[:, None]  # (B, 1, width of the vision-language model)
    hidden = model.embed_suffix(noisy, time)[0]  # (B, C, width of the expert)
    bias = _Bias(prefix, mask, hidden.shape[1])
    first = bias.first
    token_rope = rotation(first, head)  # the state token stands right after the prefix
    steps = torch.arange(hidden.shape[1], device=first.device)
    joint_rope = rotation(first + 1 + steps, head)
    cross_rope = rotation(steps[None], head)

    for number, (vlm_layer, expert_layer) in enumerate(zip(vlm_layers, expert_layers, strict=True)):
        normed = vlm_layer.input_layernorm(token)
        attention = vlm_layer.self_attn
        key = rotated(attention.k_proj(normed), token_rope, head)
        keys = torch.cat([prefix[:, number, 0], key], dim=1)  # (B, S + 1, G·D)
        values = torch.cat([prefix[:, number, 1], attention.v_proj(normed)], dim=1)
        if number < len(vlm_layers) - 1:
            query = rotated(attention.q_proj(normed), token_rope, head)
            token = _after(vlm_layer, token, attend(query, keys, values, head, bias.prefix))
        if expert_layer is None:
            continue
        normed = expert_layer.input_layernorm(hidden)
        attention = expert_layer.self_attn
        if every > 0 and number % every == 0:
            query = rotated(attention.q_proj(normed), joint_rope, head)
            own = rotated(attention.k_proj(normed), joint_rope, head)
            keys = torch.cat([keys, own], dim=1)
            values = torch.cat([values, attention.v_proj(normed)], dim=1)
            seen = attend(query, keys, values, head, bias.joint)
        else:
            query = rotated(attention.q_proj(normed), cross_rope, head)
            keys, values = attention.k_proj(keys), attention.v_proj(values)
            seen = attend(query, keys, values, head, bias.prefix)
        hidden = _after(expert_layer, hidden, seen)
    return model.action_out_proj(both.lm_expert.norm(hidden).to(torch.float32))


def _after(layer: Any, hidden: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Return what a layer makes of its input and of what its attention saw."""
    hidden = hidden + layer.self_attn.o_proj(seen)
    return hidden + layer.mlp(layer.post_attention_layernorm(hidden))


class _Bias:
    """What may be attended to, as numbers added to the attention's logits."""

    def __init__(self, prefix: torch.Tensor, mask: torch.Tensor | None, chunk: int) -> None:
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
        padding = prefix.new_zeros(batch, tokens + 1)
        padding[:, :tokens].masked_fill_(~mask, -math.inf)
        self.prefix = padding[:, None, None]
        self.joint = torch.cat(
            [
                self.prefix.expand(batch, 1, chunk, tokens + 1),
                causal.expand(batch, 1, chunk, chunk),
            ],
            dim=-1,
        )


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
    heads = flat.unflatten(-1, (-1, head))
    return (heads * cos + heads.roll(head // 2, dims=-1) * sin).flatten(-2)


def attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    head: int,
    bias: torch.Tensor | None,
) -> torch.Tensor:
    """Return grouped-query attention, (B, T, H·D), of query (B, T, H·D) over (B, U, G·D)."""
    q, k, v = (x.unflatten(-1, (-1, head)).transpose(1, 2) for x in (query, keys, values))
    seen = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, enable_gqa=True)
    return seen.transpose(1, 2).flatten(2)
