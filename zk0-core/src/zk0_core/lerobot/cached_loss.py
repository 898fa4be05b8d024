"""SmolVLA's training loss from a cached prefix: the state token and the action expert only.

The same sums as `SmolVLAPolicy.forward`, without what does not change or does not count, and with
its roundings where weights are bfloat16. S prefix tokens, B chunks of C action steps, of which N
are within their episodes, G heads for keys and values, of width D each.
"""

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from zk0_core.lerobot.attention import Bias, attend, rotated, rotation
from zk0_core.lerobot.prefix_model import prefix_from_vision

if TYPE_CHECKING:
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy


class Steps:
    """Which steps of B chunks, of C each, are computed."""

    def __init__(self, shape: torch.Size, which: torch.Tensor | None) -> None:
        """Compute `which` of the steps of chunks of `shape`, see `cached_loss`."""
        self._shape = shape
        self._which = which

    def collect(self, padded: torch.Tensor) -> torch.Tensor:
        """Return (B, C, W), of any width, without the steps that are not computed, as (N, W)."""
        rows = padded.flatten(0, 1)
        return rows if self._which is None else rows.index_select(0, self._which)

    def spread(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (N, W) as (B, C, W), with zeros where nothing was computed."""
        if self._which is not None:
            padded = rows.new_zeros(self._shape.numel(), rows.shape[1])
            rows = padded.index_copy(0, self._which, rows)
        return rows.unflatten(0, self._shape)


def with_prefix(policy: "SmolVLAPolicy", batch: dict[str, Any]) -> dict[str, Any]:
    """Return a batch of `CachedSource` as `cached_loss` takes it.

    Of pictures' embeddings, the prefix's keys and values are computed here.
    """
    if "vision" not in batch:
        return batch
    names = ("vision", "cameras", "tokens", "token_mask")
    prefix, mask = prefix_from_vision(policy, *(batch[name] for name in names))
    rest = {name: value for name, value in batch.items() if name not in names}
    return {**rest, "prefix": prefix, "mask": mask}


def cached_loss(
    policy: "SmolVLAPolicy",
    prefix: torch.Tensor,
    mask: torch.Tensor | None,
    state: torch.Tensor,
    actions: torch.Tensor,
    steps: torch.Tensor | None,
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
        steps: (N,), N > 0, those of the B·C steps that are within their episodes, of each chunk the
            first ones; None when all are.
        noise: Like actions.
        time: (B,) in (0, 1].
    """
    # No step sees those after it: what lies past the episode's end need not be computed.
    computed = Steps(actions.shape[:2], steps)
    at = time[:, None, None]
    noisy = at * noise + (1 - at) * actions
    predicted = _velocity(policy, prefix, mask, state, noisy, time, computed)
    # Padded dimensions do not count.
    dims = policy.config.action_feature.shape[0]
    return F.mse_loss(predicted[:, :dims], computed.collect(noise - actions)[:, :dims])


def _velocity(
    policy: "SmolVLAPolicy",
    prefix: torch.Tensor,
    mask: torch.Tensor | None,
    state: torch.Tensor,
    noisy: torch.Tensor,
    time: torch.Tensor,
    steps: Steps,
) -> torch.Tensor:
    """Return the predicted velocity, (N, max_action_dim)."""
    model = policy.model
    both = model.vlm_with_expert
    head = both.vlm.config.text_config.head_dim
    vlm_layers, expert_layers = both.get_model_layers(
        [both.get_vlm_model().text_model, both.lm_expert]
    )
    every = both.self_attn_every_n_layers

    prefix = prefix.to(vlm_layers[0].self_attn.k_proj.weight.dtype)
    token = model.state_proj(state)[:, None]  # (B, 1, width of the vision-language model)
    hidden = steps.collect(model.embed_suffix(noisy, time)[0])  # (N, width of the expert)
    bias = Bias(prefix, mask, noisy.shape[1])
    first = bias.first
    token_rope = rotation(first, head)  # the state token stands right after the prefix
    places = torch.arange(noisy.shape[1], device=first.device)
    joint_rope = rotation(first + 1 + places, head)
    cross_rope = rotation(places[None], head)

    for number, (vlm_layer, expert_layer) in enumerate(zip(vlm_layers, expert_layers, strict=True)):
        attention = vlm_layer.self_attn
        normed = _normed(vlm_layer, token)
        key = rotated(attention.k_proj(normed), token_rope, head)
        keys = torch.cat([prefix[:, number, 0], key], dim=1)  # (B, S + 1, G·D)
        values = torch.cat([prefix[:, number, 1], attention.v_proj(normed)], dim=1)
        if number < len(vlm_layers) - 1:
            query = rotated(attention.q_proj(normed), token_rope, head)
            token = _after(vlm_layer, token, attend(query, keys, values, head, bias.prefix))
        if expert_layer is None:
            continue
        attention = expert_layer.self_attn
        normed = _normed(expert_layer, hidden)
        if every > 0 and number % every == 0:
            query = rotated(steps.spread(attention.q_proj(normed)), joint_rope, head)
            own = rotated(steps.spread(attention.k_proj(normed)), joint_rope, head)
            keys = torch.cat([keys, own], dim=1)
            values = torch.cat([values, steps.spread(attention.v_proj(normed))], dim=1)
            seen = attend(query, keys, values, head, bias.joint)
        else:
            query = rotated(steps.spread(attention.q_proj(normed)), cross_rope, head)
            keys = attention.k_proj(keys.to(attention.k_proj.weight.dtype))
            values = attention.v_proj(values.to(attention.v_proj.weight.dtype))
            seen = attend(query, keys, values, head, bias.prefix)
        hidden = _after(expert_layer, hidden, steps.collect(seen))
    return model.action_out_proj(both.lm_expert.norm(hidden).to(torch.float32))


def _normed(layer: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Return a layer's input as its attention takes it, in the type of its weights."""
    normed: torch.Tensor = layer.input_layernorm(hidden)
    return normed.to(layer.self_attn.q_proj.weight.dtype)


def _after(layer: Any, hidden: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Return what a layer makes of its input and of what its attention saw."""
    projection = layer.self_attn.o_proj
    seen = projection(seen.to(projection.weight.dtype))
    hidden = (seen + hidden).to(seen.dtype)
    return hidden + layer.mlp(layer.post_attention_layernorm(hidden))
