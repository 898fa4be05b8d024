"""What the base of the tiny SmolVLA learns with: its model, and heads that read geometry."""

import math
from collections.abc import Sequence
from pathlib import Path

import attrs
import torch
import torch.nn.functional as F

from zk0_core.sim.base_scenes import LABELS
from zk0_core.sim.setup import COLOURS


@attrs.frozen(eq=False)
class Reading:
    """What the heads say of some scenes; places and angles are normalised."""

    labels: torch.Tensor
    """(heads, B, LABELS), the last layer's head last."""
    by_colour: torch.Tensor | None
    """Where the cube of each colour is, (B, colours, 3); None where words do not matter."""
    tokens: torch.Tensor | None
    """Logits of each token to be the one that shows the named cube, (heads, B, cameras, tokens);
    None where words do not matter."""


class GeometryReader(torch.nn.Module):
    """The vision-language model, and a small head on top that is thrown away afterwards."""

    def __init__(self, folder: Path, *, told: bool = False) -> None:
        """Make a model with the configuration and tokenizer of `folder`, weights at random.

        Args:
            folder: As `write_vlm_folder` makes it.
            told: Only words tell which cube the labels are about. They are then read behind every
                layer of the text model but the first, since the output of the last is what a
                policy never sees: its action expert has the keys and values of each layer, which
                come before it. Behind the first layer it is read where the cube of each colour is,
                so that words only have to choose among what is known.
        """
        super().__init__()
        from transformers import AutoConfig, AutoTokenizer, SmolVLMForConditionalGeneration

        self.vlm = SmolVLMForConditionalGeneration(AutoConfig.from_pretrained(folder))
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        text = self.vlm.config.text_config
        seen = 2 * text.hidden_size
        self.head = _head(seen, LABELS)
        self.early_heads = torch.nn.ModuleList()
        self.token_heads = torch.nn.ModuleList()
        if told:
            # What comes out of a layer is not normalised, unlike what comes out of the last.
            sizes = [3 * len(COLOURS), *[LABELS] * (text.num_hidden_layers - 2)]
            self.early_heads.extend(
                torch.nn.Sequential(torch.nn.LayerNorm(seen), _head(seen, size)) for size in sizes
            )
            width = text.hidden_size
            self.token_heads.extend(
                torch.nn.Sequential(torch.nn.LayerNorm(width), torch.nn.Linear(width, 1))
                for _ in sizes
            )
        # Words keep the embeddings they were born with: a few sentences teach nothing of the rest.
        self.vlm.model.text_model.get_input_embeddings().weight.requires_grad = False

    def forward(self, pictures: torch.Tensor, instructions: Sequence[str]) -> Reading:
        """Return what the heads read.

        Args:
            pictures: (B, 2, 3, 96, 96) in [0, 1].
            instructions: What a policy would be told, B; part of the prefix. Of several cubes they
                name the one to tell of.
        """
        model = self.vlm.model
        batch, cameras = pictures.shape[:2]
        vision = model.vision_model(pixel_values=pictures.flatten(0, 1) * 2 - 1)
        seen = model.connector(vision.last_hidden_state)
        tokens, told = self._tokens(instructions)
        words = model.text_model.get_input_embeddings()(tokens)
        # The prefix as SmolVLA lays it out and scales it, the state token left out.
        width = seen.shape[-1]
        prefix = torch.cat([seen.reshape(batch, -1, width), words], dim=1) * math.sqrt(width)
        length = prefix.shape[1]
        there = F.pad(told, (length - told.shape[1], 0), value=True)
        everything = there[:, None, None, :].repeat(1, 1, length, 1)
        hidden = model.text_model(
            inputs_embeds=prefix,
            attention_mask=everything,
            output_hidden_states=bool(self.early_heads),
        )

        def by_camera(states: torch.Tensor) -> torch.Tensor:
            """Return the states of the pictures' tokens, (B, cameras, tokens, width)."""
            return states[:, : cameras * seen.shape[1]].unflatten(1, (cameras, -1))

        def means(states: torch.Tensor) -> torch.Tensor:
            """Return the mean of each camera's tokens, (B, cameras * width)."""
            return by_camera(states).mean(dim=2).flatten(1)

        last = self.head(means(hidden.last_hidden_state))
        if not self.early_heads:
            return Reading(last[None], None, None)
        early = hidden.hidden_states[1:-1]
        by_colour, *labels = (
            head(means(states)) for head, states in zip(self.early_heads, early, strict=True)
        )
        shown = [
            head(by_camera(states)).squeeze(-1)
            for head, states in zip(self.token_heads, early, strict=True)
        ]
        return Reading(
            torch.stack([*labels, last]), by_colour.unflatten(1, (-1, 3)), torch.stack(shown)
        )

    def _tokens(self, instructions: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return tokens (B, L), short instructions filled up, and which are not filling (B, L)."""
        rows = [self._tokenizer(text + "\n")["input_ids"] for text in instructions]
        longest = max(map(len, rows))
        tokens = torch.zeros(len(rows), longest, dtype=torch.long)
        told = torch.zeros(len(rows), longest, dtype=torch.bool)
        for number, row in enumerate(rows):
            tokens[number, : len(row)] = torch.tensor(row)
            told[number, : len(row)] = True
        return tokens, told


def _head(seen: int, size: int) -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Linear(seen, 128), torch.nn.GELU(), torch.nn.Linear(128, size)
    )
