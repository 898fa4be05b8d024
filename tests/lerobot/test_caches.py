"""Caches of SmolVLA's frozen part: exact, chosen by the disk given, and refused with a reason."""

import errno
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from loguru import logger

from zk0_core.cache import cache_limit, cache_share, limit_caches
from zk0_core.engines.apps import recipe_of
from zk0_core.files import remove_built
from zk0_core.lerobot import exactness, prefix_cache, prefix_source
from zk0_core.lerobot.cached_source import CachedSource
from zk0_core.lerobot.examples import PictureSource
from zk0_core.lerobot.families import TinySmolVLAFamily
from zk0_core.lerobot.frames import frame_memmap
from zk0_core.lerobot.prefix_cache import (
    CHECKED,
    PREFIX,
    VISION,
    CacheOf,
    Kind,
    as_computed,
    kept,
)
from zk0_core.lerobot.prefix_model import prefix_from_vision, prefix_of, vision_of
from zk0_core.parts import open_dataset
from zk0_core.plan import EvaluationPlan, PluginChoice
from zk0_core.replay import held_out_pictures
from zk0_core.server import model as server_model
from zk0_core.server.model import ModelRef, load_model
from zk0_core.testing import examples

ALL = [0, 1, 2]
WHICH = list(range(0, 41, 3))
"""Frames of all three episodes, whose instructions are of two lengths."""


@pytest.fixture(autouse=True)
def _no_limit() -> Iterator[None]:
    limit_caches(None)
    yield
    limit_caches(None)


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{message}")
    yield lines
    logger.remove(sink)


def cache_of(kind: Kind, policy, dataset) -> CacheOf:
    make = prefix_source.observations_of(policy.module, policy._pre, dataset)
    return CacheOf(kind, policy.module, dataset, make, policy.frozen_fingerprint())


def loss_and_gradients(policy, batch):
    policy.module.train()
    policy.module.zero_grad()
    loss = policy.loss(batch, torch.Generator().manual_seed(5))
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in policy.trainable().items()}


@pytest.fixture(scope="module")
def limits(policy, dataset) -> dict[str, int]:
    """The bytes that each kind takes; both are built now."""
    sizes = {}
    for kind in (PREFIX, VISION):
        cache = cache_of(kind, policy, dataset)
        before = cache.size()
        cache.load()
        sizes[kind.name] = cache.size()
        assert before == sizes[kind.name]
        assert (cache.folder / "values.npy").stat().st_size == before + 128
    return sizes


def test_sizes_by_hand(policy, limits) -> None:
    """41 frames, 4 bytes a value; two cameras of 16 tokens each, and the longer instruction.

    Keys and values of 4 layers; embeddings as wide as the language model.
    """
    text = policy.module.model.vlm_with_expert.config.text_config
    tokenizer = policy.module.model.vlm_with_expert.processor.tokenizer
    words = len(tokenizer("Pick up the red cube and put it into the blue box\n")["input_ids"])
    heads = text.num_key_value_heads * text.head_dim
    assert limits["prefix"] == 41 * 4 * 4 * 2 * (2 * 16 + words) * heads
    assert limits["vision"] == 41 * 4 * 2 * 16 * text.hidden_size


def test_the_loss_from_embeddings_is_that_from_pictures(policy, dataset, limits) -> None:
    limit_caches(limits["vision"])
    source = policy.source(dataset, ALL)
    assert isinstance(source, CachedSource)
    assert source.kind is VISION
    loss, gradients = loss_and_gradients(policy, source.batch(WHICH))
    pictures = policy.picture_source(dataset, ALL)
    expected, expected_gradients = loss_and_gradients(policy, pictures.batch(WHICH))
    assert loss == pytest.approx(expected, rel=1e-5)
    for name, gradient in expected_gradients.items():
        assert float((gradients[name] - gradient).norm()) <= 1e-5 * float(gradient.norm()), name


def test_embeddings_of_joined_datasets(policy, folder, monkeypatch) -> None:
    """Their instructions have two lengths; each part's cache is its own."""
    monkeypatch.setattr(prefix_source, "KINDS", [VISION])
    both = open_dataset(f"local:{folder}?partition=0/2 + local:{folder}?partition=1/2")
    episodes = [episode.index for episode in both.episodes]
    losses = [
        policy.loss(source.batch([0, 15, 33, 40]), torch.Generator().manual_seed(1)).item()
        for source in (policy.source(both, episodes), policy.picture_source(both, episodes))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_prefix_from_embeddings_is_exact(policy, dataset) -> None:
    batch = policy.picture_source(dataset, ALL).batch(WHICH)
    embedded, cameras = vision_of(policy.module, batch)
    prefix, mask = prefix_from_vision(
        policy.module,
        embedded,
        cameras,
        batch["observation.language.tokens"],
        batch["observation.language.attention_mask"],
    )
    expected, expected_mask = prefix_of(policy.module, batch)
    assert torch.equal(mask, expected_mask)
    torch.testing.assert_close(prefix, expected, rtol=0, atol=0)
    # SmolVLA embeds pictures again, as before.
    image = policy.module.prepare_images(batch)[0][0]
    again = policy.module.model.vlm_with_expert.embed_image(image)
    torch.testing.assert_close(again, embedded[:, 0], rtol=0, atol=0)


def test_the_fastest_that_the_disk_given_has_room_for(policy, dataset, limits, warnings) -> None:
    for limit, kind in ((None, PREFIX), (limits["prefix"], PREFIX), (limits["prefix"] - 1, VISION)):
        limit_caches(limit)
        source = policy.source(dataset, ALL)
        assert isinstance(source, CachedSource)
        assert source.kind is kind
    assert not warnings
    limit_caches(limits["vision"] - 1)
    assert isinstance(policy.source(dataset, ALL), PictureSource)
    (line,) = warnings
    assert "keys and values of prefixes take 0.0041 GB and cache_gb leaves" in line
    assert "embeddings of pictures take 0.001 GB and cache_gb leaves" in line
    assert "for each dataset; give more; training from pictures, several times slower" in line


def test_no_cache_when_none_is_wanted(policy, dataset, warnings) -> None:
    limit_caches(0)
    assert isinstance(policy.source(dataset, ALL), PictureSource)
    assert not warnings


def test_a_full_disk_takes_what_is_there_already(
    policy, dataset, limits, warnings, monkeypatch
) -> None:
    monkeypatch.setattr(prefix_source, "free_bytes", lambda folder: 10**9)
    source = policy.source(dataset, ALL)
    assert isinstance(source, CachedSource)
    assert source.kind is PREFIX
    monkeypatch.setattr(prefix_cache, "LAYOUT", "another")
    assert isinstance(policy.source(dataset, ALL), PictureSource)
    assert "keys and values of prefixes take 0.0041 GB and 1.0 GB are free at " in warnings[0]
    assert "free some, or name a larger disk with ZK0_CACHE" in warnings[0]


def test_room_that_another_took_meanwhile(policy, dataset, empty, warnings, monkeypatch) -> None:
    """Each of several processes sees the same free bytes; the last one takes what has room."""
    take = os.posix_fallocate

    def full(descriptor: int, start: int, size: int) -> None:
        if size > 2_000_000:  # that of keys and values
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        take(descriptor, start, size)

    monkeypatch.setattr(os, "posix_fallocate", full)
    source = policy.source(dataset, ALL)
    assert isinstance(source, CachedSource)
    assert source.kind is VISION
    assert not list((empty / "prefix").glob("*.part")) + list((empty / "prefix").glob("[!.]*"))
    (values,) = (empty / "vision").glob("*/values.npy")
    assert values.stat().st_blocks * 512 >= values.stat().st_size


def test_it_is_compared_with_pictures_from_all_over(policy, dataset, limits) -> None:
    cache = cache_of(PREFIX, policy, dataset).load()
    assert cache.frames.tolist() == [0, 13, 27, 40]
    for camera, pictures in cache.pictures.items():
        every = [picture.transpose(2, 0, 1) for picture in dataset.frames(camera)]
        np.testing.assert_array_equal(pictures, [every[frame] for frame in cache.frames])


def off(kind: Kind, factor: float) -> Kind:
    """Return `kind`, computed wrongly."""

    def compute(module, batch):
        values, small = kind.compute(module, batch)
        return values * factor, small

    return attrs.evolve(kind, compute=compute)


def test_a_cache_that_disagrees_is_not_used(policy, watched, empty, warnings, monkeypatch) -> None:
    """Nor made again and again: it would come out the same."""
    monkeypatch.setattr(prefix_source, "KINDS", [off(PREFIX, 1.5), off(VISION, 1.5)])
    monkeypatch.setattr(exactness, "GROSSLY", 1e9)
    assert isinstance(policy.source(watched, ALL), PictureSource)
    (said,) = warnings
    assert "loss from cached keys and values of prefixes is" in said
    assert "loss from cached embeddings of pictures is" in said
    assert "training from pictures, several times slower" in said
    watched.decoded.clear()
    assert isinstance(policy.source(watched, ALL), PictureSource)
    assert warnings == [said, said]
    assert not watched.decoded


def test_a_cache_that_other_versions_made_is_made_anew(
    policy, dataset, empty, warnings, monkeypatch
) -> None:
    monkeypatch.setattr(exactness, "TOLERANCE", 1e9)
    with monkeypatch.context() as patch:
        patch.setattr(prefix_source, "KINDS", [off(PREFIX, 1.001)])
        assert policy.source(dataset, ALL).kind.name == "prefix"
    monkeypatch.setattr(exactness, "TOLERANCE", 1e-5)
    source = policy.source(dataset, ALL)
    assert isinstance(source, CachedSource)
    assert source.kind is PREFIX
    (said,) = warnings
    assert said.startswith(f"{dataset.uri}: loss from cached keys and values of prefixes is ")
    assert said.endswith("; the cache is made anew\n")


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[128:] = bytes(255 - byte for byte in content[128:])
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "name", "text"),
    [
        (flipped, "values.npy", "loss from cached keys and values of prefixes is nan, from "),
        (cut, "values.npy", "cached keys and values of prefixes cannot be read: mmap length"),
        (cut, "small.npz", "cached keys and values of prefixes cannot be read: File is not a zip"),
        (Path.unlink, "checked.npz", "cached keys and values of prefixes cannot be read: [Errno 2"),
    ],
)
def test_a_damaged_cache_is_made_anew(
    policy, dataset, statistics, empty, warnings, damage, name, text
) -> None:
    assert isinstance(policy.source(dataset, ALL), CachedSource)
    (file,) = empty.glob(f"prefix/*/{name}")
    whole = file.read_bytes()
    damage(file)
    another = TinySmolVLAFamily().load(dataset.schema, statistics, seed=3, device="cpu")
    source = another.source(dataset, ALL)
    assert isinstance(source, CachedSource)
    assert source.kind is PREFIX
    assert (file.read_bytes() == whole) or name.endswith(".npz")
    (said,) = warnings
    assert said.startswith(f"{dataset.uri}: {text}")
    assert said.endswith("; the cache is made anew\n")
    pictures = another.picture_source(dataset, ALL)
    losses = [
        another.loss(each.batch(WHICH), torch.Generator().manual_seed(5)).item()
        for each in (source, pictures)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_what_another_process_has_made_anew_stays(policy, dataset, empty, monkeypatch) -> None:
    """Both have seen that it was off; the second one takes what the first one made."""
    cache = cache_of(PREFIX, policy, dataset)
    cache.load()
    made = exactness._made(cache.folder)
    remove_built(cache.folder, lambda: exactness._made(cache.folder) == made)
    assert not cache.folder.exists()
    cache.load()
    remove_built(cache.folder, lambda: exactness._made(cache.folder) == made)
    assert cache.folder.is_dir()


def test_what_is_no_number_is_not_kept(policy, dataset, monkeypatch, warnings) -> None:
    def endless(module, batch):
        values = torch.full((len(batch["observation.state"]), 1), torch.inf, dtype=torch.bfloat16)
        return values, {}

    monkeypatch.setattr(prefix_source, "KINDS", [Kind("endless", "values of this test", endless)])
    assert isinstance(policy.source(dataset, ALL), PictureSource)
    assert "values of this test have a NaN or an infinity" in warnings[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_values_are_kept_to_the_bit(dtype: torch.dtype) -> None:
    """Of bfloat16's, float16 has no room for the smallest and for the largest."""
    values = torch.tensor([1.5078125 * 2**-20, 2**-26, -0.0, 1 / 3, 6e4]).to(dtype)
    again = as_computed(kept(values))
    assert again.dtype == dtype
    assert torch.equal(again, values)
    if dtype == torch.bfloat16:
        large = torch.tensor([1e38, 1e-38], dtype=dtype)
        assert torch.equal(as_computed(kept(large)), large)


@pytest.fixture
def own(dataset, statistics):
    """A policy that may be changed."""
    return TinySmolVLAFamily().load(dataset.schema, statistics, seed=3, device="cpu")


def test_what_is_not_frozen_is_not_cached(own, dataset, warnings) -> None:
    vlm = own.module.model.vlm_with_expert.vlm
    next(vlm.parameters()).requires_grad_(True)
    assert isinstance(own.source(dataset, ALL), PictureSource)
    assert warnings[0].endswith(
        "its frozen part is not cached: train_expert_only is off, so the vision-language model "
        "is trained too; training from pictures, several times slower\n"
    )


@pytest.mark.parametrize("kind", [PREFIX, VISION], ids=["prefix", "vision"])
@pytest.mark.parametrize("part", ["all", "vlm", "expert", "as published"])
def test_bfloat16_weights_give_the_plain_loss(own, dataset, kind, part, monkeypatch) -> None:
    """Checkpoints may have both halves in bfloat16, or one alone.

    Of the published one, LeRobot leaves what projects the language model's keys and values in
    float32. bfloat16 holds 8 bits; what is left are sums in another order, each rounded to that.
    """
    both = own.module.model.vlm_with_expert
    whole = {"all": both, "vlm": both.vlm, "expert": both.lm_expert, "as published": both}
    whole[part].to(torch.bfloat16)
    if part == "as published":
        for layer in both.lm_expert.layers[1::2]:
            layer.self_attn.k_proj.float()
            layer.self_attn.v_proj.float()
    monkeypatch.setattr(prefix_source, "KINDS", [kind])
    source = own.source(dataset, ALL)
    assert isinstance(source, CachedSource)
    loss, _ = loss_and_gradients(own, source.batch(WHICH))
    expected, _ = loss_and_gradients(own, own.picture_source(dataset, ALL).batch(WHICH))
    assert loss == pytest.approx(expected, rel=2e-3)


def test_each_dataset_of_a_plan_gets_its_share() -> None:
    """Two clients and one set that is read: a third of 3 GB each; rollouts read nothing."""
    evaluations = tuple(
        EvaluationPlan(
            f"sim:lift?region=all&split=eval&episodes={n}", PluginChoice("evaluator", name)
        )
        for n, name in enumerate(("policy-loss", "sim-success"), start=1)
    )
    plan = examples.plan(evaluations=evaluations, cache_gb=3.0)
    assert cache_share(plan) == 10**9
    assert cache_share(attrs.evolve(plan, cache_gb=None)) is None
    assert cache_share(attrs.evolve(plan, cache_gb=0.0)) == 0


def test_who_loads_the_model_keeps_to_the_recipe(policy, monkeypatch) -> None:
    """The recipe says it, so that all engines cache alike; clients do the same."""
    recipe = recipe_of(examples.plan(cache_gb=1.0))
    assert recipe.cache_bytes == 500_000_000
    schema, statistics = examples.dataset().schema, {}
    key = ModelRef(recipe=recipe, schema=schema, statistics=statistics, params=None)
    monkeypatch.setitem(server_model._loaded, "policy", (key, policy))
    load_model(key)
    assert cache_limit() == 500_000_000


class Watched:
    """A dataset that counts which pictures are decoded."""

    def __init__(self, dataset) -> None:
        self._dataset = dataset
        self.decoded: Counter[str] = Counter()

    def __getattr__(self, name: str):
        return getattr(self._dataset, name)

    def frames(self, camera: str) -> Iterator[np.ndarray]:
        for picture in self._dataset.frames(camera):
            self.decoded[camera] += 1
            yield picture


@pytest.fixture
def watched(dataset) -> Watched:
    return Watched(dataset)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("ZK0_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_cold_start_decodes_each_video_once(policy, watched, empty) -> None:
    """And the first frames, to see what a cache would take; decoded pictures are not kept."""
    cameras = watched.schema.cameras
    assert isinstance(policy.source(watched, ALL), CachedSource)
    assert watched.decoded == {camera: CHECKED + 41 for camera in cameras}
    assert [path.name for path in empty.iterdir()] == ["prefix"]
    policy.source(watched, ALL)
    assert watched.decoded == {camera: CHECKED + 41 for camera in cameras}


def test_a_kind_that_is_far_off_costs_its_first_frames(
    policy, watched, empty, warnings, monkeypatch
) -> None:
    """Then pictures are decoded, once, for training from them."""
    monkeypatch.setattr(prefix_source, "KINDS", [off(PREFIX, 1.5), off(VISION, 1.5)])
    assert isinstance(policy.source(watched, ALL), PictureSource)
    assert watched.decoded == {camera: 2 * CHECKED + 41 for camera in watched.schema.cameras}
    assert [path.name for path in empty.iterdir()] == ["frames"]
    assert "loss from cached keys and values of prefixes is" in warnings[0]
    assert "loss from cached embeddings of pictures is" in warnings[0]


def test_pictures_that_were_decoded_before_serve_caches_and_replay(
    policy, watched, limits, empty
) -> None:
    """Those of another policy's run, which takes them as they are: to the bit the same."""
    expected = np.stack(list(watched.frames(camera := next(iter(watched.schema.cameras)))))
    for each in watched.schema.cameras:
        frame_memmap(watched, each, (96, 96))
    watched.decoded.clear()
    cache = cache_of(PREFIX, policy, watched)
    values = np.array(cache.load().values)
    held_out = watched.episodes[-1]
    watched.held_out = 1
    replayed = held_out_pictures(watched, camera)
    assert not watched.decoded
    np.testing.assert_array_equal(
        replayed[held_out.index], expected[held_out.start : held_out.stop]
    )
    for folder in (empty / "frames").glob("[!.]*"):
        (folder / "frames.npy").unlink()
        folder.rmdir()
    (empty / "prefix").rename(empty / "before")
    np.testing.assert_array_equal(cache.load().values, values)
    assert watched.decoded == {camera: 41 for camera in watched.schema.cameras}


def test_clients_that_split_a_recording_share_its_cache(policy, folder, empty) -> None:
    """Episodes 0 and 2 have one instruction, and episode 1 another."""
    datasets = [open_dataset(f"local:{folder}?episodes={episode}") for episode in ALL]
    sources = [policy.source(each, [each.episodes[0].index]) for each in datasets]
    assert len(list((empty / "prefix").glob("[!.]*"))) == 2
    first, second, third = (source._parts[0] for source in sources)
    assert first is third
    assert first is not second
    for source, each in zip(sources, datasets, strict=True):
        assert source._action.data_ptr() == source._parts[0].action.data_ptr()
        pictures = policy.picture_source(each, [each.episodes[0].index])
        losses = [
            policy.loss(one.batch([0, 3]), torch.Generator().manual_seed(2)).item()
            for one in (source, pictures)
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert len({source._chunks.frames[0] for source in sources}) == 3
