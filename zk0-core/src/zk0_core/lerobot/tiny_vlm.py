"""A vision-language model of SmolVLM's architecture, small enough to ship with the package.

SmolVLA asks for a folder that `AutoConfig` and `AutoProcessor` load from. `write_vlm_folder` makes
one; those that ship lie in `zk0_core/sim/bases`, each with its frozen weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zk0_core.errors import UsageError, Zk0Error

if TYPE_CHECKING:
    import torch

IMAGE_SIZE = 96
"""Pictures are brought to this many pixels square; 16 tokens a camera."""

MAX_TOKENS = 24
"""Instructions are cut after this many tokens."""

FROZEN_PARTS = ("model.vision_model.", "model.connector.", "model.text_model.")
"""What SmolVLA uses of the vision-language model; the language head is never called."""

_TEXT = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "num_hidden_layers": 4,
    "vocab_size": 1024,
    # LeRobot's apply_rope has this wavelength built in, whatever the configuration says.
    "rope_theta": 10000.0,
    "max_position_embeddings": 2048,
}
_PATCH_SIZE = 12
_VISION = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": IMAGE_SIZE,
    "patch_size": _PATCH_SIZE,
}
_SCALE = 2
"""Patches per token, along each side, that the connector folds together."""

TOKENS_ACROSS = IMAGE_SIZE // (_PATCH_SIZE * _SCALE)
"""Tokens along each side of a picture."""

_SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<fake_token_around_image>",
    "<global-img>",
    "<image>",
    "<end_of_utterance>",
    "<video>",
)
_CORPUS = (
    "Pick up the red cube\n",
    "Push the block to the goal\n",
    "Place the object in the bin\n",
    "Put the cube into the box and go back home\n",
    "grasp lift stack push move reach place take drop open close\n",
    "the blue green yellow white black cube left right box table gripper\n",
)
"""What the byte pairs are learned from. Any text works: unknown words fall apart into bytes."""


BASES = Path(__file__).parent.parent / "sim" / "bases"
"""One folder a base that comes with zk0: what it has seen is its name."""
WEIGHTS = "base.safetensors"


def shipped_bases() -> list[str]:
    """Return the names of the bases that come with zk0."""
    return sorted(folder.name for folder in BASES.iterdir())


def base_folder(base: str, asked_by: str = "policy.base") -> Path:
    """Return the folder of a base that comes with zk0, or the one that `base` names.

    Args:
        base: Its name, or its folder from the root on.
        asked_by: The option that names it, for the error.

    Raises:
        UsageError: if there is no base.
    """
    shipped = shipped_bases()
    folder = BASES / base if base in shipped else Path(base)
    # Relative to nothing: who opens it may be in another folder than who named it.
    if folder.is_absolute() and (folder / WEIGHTS).is_file():
        return folder
    raise UsageError(
        f"{asked_by} is {base!r}: neither a base that comes with zk0 ({', '.join(shipped)}) nor a "
        "folder with one; zk0 sim make-base --output DIR makes one"
    )


def absolute_base(base: str) -> str:
    """Return `base`; where it names a folder and none that comes with zk0, from the root on."""
    is_folder = base not in shipped_bases() and Path(base).is_dir()
    return str(Path(base).absolute()) if is_folder else base


def write_vlm_folder(folder: Path) -> None:
    """Write tokenizer, processor and configuration, no weights, to `folder`."""
    from transformers import SmolVLMConfig, SmolVLMImageProcessor, SmolVLMProcessor
    from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    size = {"longest_edge": IMAGE_SIZE}
    SmolVLMProcessor(
        SmolVLMImageProcessor(size=size, max_image_size=size, do_image_splitting=False),
        tokenizer,
        SmolVLMVideoProcessor(size=size, max_image_size=size),
        image_seq_len=(IMAGE_SIZE // _VISION["patch_size"] // _SCALE) ** 2,
    ).save_pretrained(folder)

    config = SmolVLMConfig(
        vision_config={**_VISION, "model_type": "smolvlm_vision"},
        text_config={
            **_TEXT,
            "model_type": "llama",
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        scale_factor=_SCALE,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )
    config.architectures = ["SmolVLMForConditionalGeneration"]
    config.save_pretrained(folder)


def _tokenizer() -> Any:
    """Return a byte-level BPE tokenizer with the names that SmolVLA looks for."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    pairs = Tokenizer(models.BPE())
    pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pairs.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=list(_SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    # Repeated, so that whole words of the corpus become one token each.
    pairs.train_from_iterator(_CORPUS * 50, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=pairs,
        bos_token="<|im_start|>",
        eos_token="<end_of_utterance>",
        unk_token="<|endoftext|>",
        pad_token="<|im_end|>",
        extra_special_tokens={
            "fake_image_token": "<fake_token_around_image>",
            "global_image_token": "<global-img>",
            "image_token": "<image>",
            "end_of_utterance_token": "<end_of_utterance>",
            "video_token": "<video>",
        },
        model_max_length=8192,
        padding_side="right",
    )


def frozen_tensors(vlm: "torch.nn.Module") -> "dict[str, torch.Tensor]":
    """Return what SmolVLA uses of `vlm`, by name, as contiguous float16 tensors."""
    import torch

    return {
        name: tensor.detach().to("cpu", torch.float16).contiguous()
        for name, tensor in vlm.state_dict().items()
        if name.startswith(FROZEN_PARTS)
    }


def load_frozen(vlm: "torch.nn.Module", tensors: "Mapping[str, torch.Tensor]") -> None:
    """Put `tensors`, as `frozen_tensors` returns them, into `vlm`; zero what is never used.

    Raises:
        Zk0Error: if they are not exactly the tensors that `vlm` has.
    """
    import torch

    own = vlm.state_dict()
    wanted = {name for name in own if name.startswith(FROZEN_PARTS)}
    if wanted != set(tensors):
        odd = sorted(wanted ^ set(tensors))
        raise Zk0Error(
            f"frozen base: {len(odd)} tensors missing or unknown, {odd[0]} first; "
            "it was made for another architecture; make it again with `zk0 sim make-base`"
        )
    with torch.no_grad():
        for name, tensor in own.items():
            if name in wanted:
                tensor.copy_(tensors[name])
            else:
                # Left to chance it would differ between two loads of one policy.
                tensor.zero_()


def load_base(vlm: "torch.nn.Module", folder: Path) -> None:
    """Load the frozen base of `folder` into `vlm`."""
    from safetensors.torch import load_file

    load_frozen(vlm, load_file(folder / WEIGHTS))
