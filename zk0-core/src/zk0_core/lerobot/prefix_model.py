"""SmolVLA's image-and-language prefix, and what of it depends on frozen weights only.

The prefix tokens never attend to the state token or the actions, so that their keys and values in
every layer are the same in every step. This holds while the whole vision-language model is frozen
and pictures are not augmented. B frames, L layers, S prefix tokens of width D over all heads of
keys; C cameras, of T tokens of the model's width W each.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

Batch = dict[str, Any]


def obstacle(policy: "torch.nn.Module") -> str | None:
    """Return why nothing of the prefix of `policy` can be kept, or None when it can."""
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    if not isinstance(policy, SmolVLAPolicy):
        return "only SmolVLA has a frozen prefix"
    config = policy.config
    vlm = policy.model.vlm_with_expert.vlm
    if not config.train_expert_only or any(param.requires_grad for param in vlm.parameters()):
        return "train_expert_only is off, so the vision-language model is trained too"
    if config.attention_mode != "cross_attn" or config.prefix_length > 0:
        return "attention_mode or prefix_length is not SmolVLA's default"
    if config.adapt_to_pi_aloha or config.compile_model or config.use_peft:
        return "adapt_to_pi_aloha, compile_model or use_peft is on"
    return None


@torch.no_grad()
def prefix_of(policy: "SmolVLAPolicy", batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return keys and values, (B, L, 2, S, D), and mask, (B, S), of a batch's prefixes."""
    images, image_masks = policy.prepare_images(batch)
    return _keys_and_values(
        policy,
        images,
        image_masks,
        batch["observation.language.tokens"],
        batch["observation.language.attention_mask"],
    )


@torch.no_grad()
def vision_of(policy: "SmolVLAPolicy", batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the pictures' embeddings, (B, C, T, W), and which cameras there are, (B, C)."""
    images, image_masks = policy.prepare_images(batch)
    embedded = [policy.model.vlm_with_expert.embed_image(image) for image in images]
    return torch.stack(embedded, dim=1), torch.stack(image_masks, dim=1)


@torch.no_grad()
def prefix_from_vision(
    policy: "SmolVLAPolicy",
    vision: torch.Tensor,
    cameras: torch.Tensor,
    tokens: torch.Tensor,
    token_mask: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what `prefix_of` does, from what `vision_of` returned.

    Args:
        policy: SmolVLA.
        vision: (B, C, T, W).
        cameras: (B, C) bool.
        tokens: (B, U) of the instruction.
        token_mask: (B, U) bool, which of them are no padding.
    """
    both = policy.model.vlm_with_expert
    embedded = vision.to(next(both.vlm.parameters()).dtype)
    with _embedded_already(both):
        return _keys_and_values(
            policy, list(embedded.unbind(1)), list(cameras.unbind(1)), tokens, token_mask
        )


@contextmanager
def _embedded_already(both: Any) -> Iterator[None]:
    """Let SmolVLA put its prefix together from pictures that are embedded already."""
    both.embed_image = lambda embedded: embedded
    try:
        yield
    finally:
        del both.embed_image  # the method shows again


def _keys_and_values(
    policy: "SmolVLAPolicy",
    images: list[torch.Tensor],
    image_masks: list[torch.Tensor],
    tokens: torch.Tensor,
    token_mask: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    from lerobot.policies.common.vla_utils import make_att_2d_masks

    # The last token is the state's, the only one that trained weights have a part in.
    state = policy.model.state_proj.weight.new_zeros(len(tokens), policy.config.max_state_dim)
    embedded, mask, attention = policy.model.embed_prefix(
        images, image_masks, tokens, token_mask, state=state
    )
    embedded, mask, attention = embedded[:, :-1], mask[:, :-1], attention[:, :-1]
    _, cache = policy.model.vlm_with_expert.forward(
        attention_mask=make_att_2d_masks(mask, attention),
        position_ids=torch.cumsum(mask, dim=1) - 1,
        past_key_values=None,
        inputs_embeds=[embedded, None],
        use_cache=True,
    )
    # Layers keep (B, heads, S, D / heads).
    layers = [
        torch.stack([layer.keys.transpose(1, 2), layer.values.transpose(1, 2)], dim=1)
        for layer in cache.layers
    ]
    return torch.stack(layers, dim=1).flatten(start_dim=4), mask
