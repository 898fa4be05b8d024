import shutil

import attrs
import numpy as np
import pytest
import torch

from tests.data.hub_server import go_online, hub
from zk0_core.builtin.policy_lerobot import PLUGIN as LEROBOT
from zk0_core.builtin.policy_smolvla_tiny import PLUGIN as TINY
from zk0_core.errors import DataError, UsageError
from zk0_core.lerobot.cached_source import CachedSource
from zk0_core.lerobot.examples import Chunks
from zk0_core.lerobot.flow import flow_times
from zk0_core.lerobot.tiny_vlm import FROZEN_PARTS, base_folder, shipped_bases
from zk0_core.parameters import set_params, to_numpy
from zk0_core.tensors import fingerprint

TOP, WRIST = "observation.images.top", "observation.images.wrist"
ALL = [0, 1, 2]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_flow_times_are_beta():
    times = flow_times(200_000, generator())
    assert float(times.min()) >= 0.001
    assert float(times.max()) <= 1.0
    # Beta(1.5, 1) has mean 0.6 and variance 1.5 / (2.5² · 3.5).
    unscaled = (times - 0.001) / 0.999
    assert float(unscaled.mean()) == pytest.approx(0.6, abs=2e-3)
    assert float(unscaled.var()) == pytest.approx(1.5 / (2.5**2 * 3.5), abs=1e-3)


@pytest.mark.parametrize(("uniform", "time"), [(0.0, 0.001), (1.0, 1.0), (0.125, 0.25075)])
def test_flow_times_by_hand(monkeypatch, uniform, time):
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([uniform]))
    # 0.125 ** (2 / 3) = 0.25; 0.25 · 0.999 + 0.001.
    assert float(flow_times(1, generator())) == pytest.approx(time)


def test_chunks_stop_at_the_episodes_end(dataset):
    chunks = Chunks(dataset, [0, 2], range(3))
    assert len(chunks.frames) == 12 + 20
    actions, padding = chunks.actions(np.array([10, 11, 12]))
    np.testing.assert_array_equal(actions, [[10, 11, 11], [11, 11, 11], [21, 22, 23]])
    np.testing.assert_array_equal(
        padding, [[False, False, True], [False, True, True], [False, False, False]]
    )


@pytest.fixture(scope="module")
def both(policy, dataset):
    cached = policy.source(dataset, ALL)
    assert isinstance(cached, CachedSource)
    return cached, policy.picture_source(dataset, ALL)


def loss_and_gradients(policy, batch):
    policy.module.train()
    policy.module.zero_grad()
    loss = policy.loss(batch, generator(5))
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in policy.trainable().items()}


def test_batch_is_what_lerobot_gives(policy, dataset, folder):
    from lerobot.datasets.factory import resolve_delta_timestamps
    from lerobot.datasets.lerobot_dataset import LeRobotDataset, LeRobotDatasetMetadata

    meta = LeRobotDatasetMetadata("local/test", root=folder)
    theirs = LeRobotDataset(
        "local/test",
        root=folder,
        delta_timestamps=resolve_delta_timestamps(policy.module.config, meta),
        video_backend="pyav",
    )
    which = [0, 10, 40]
    item = [theirs[index] for index in which]
    # LeRobot gives each observation a time axis of length 1.
    expected = policy._pre(
        {
            "observation.state": torch.stack([i["observation.state"][-1] for i in item]),
            "action": torch.stack([i["action"] for i in item]),
            "action_is_pad": torch.stack([i["action_is_pad"] for i in item]),
            "task": [i["task"] for i in item],
            TOP: torch.stack([i[TOP].reshape(3, 96, 96) for i in item]),
            WRIST: torch.stack([i[WRIST].reshape(3, 96, 96) for i in item]),
        }
    )
    ours = policy.picture_source(dataset, ALL).batch(which)
    for name in ("observation.state", "action", TOP, WRIST):
        torch.testing.assert_close(ours[name], expected[name], rtol=0, atol=1e-6)
    assert torch.equal(ours["action_is_pad"], expected["action_is_pad"])
    assert policy.loss(ours, generator()).item() == pytest.approx(
        policy.loss(expected, generator()).item(), rel=1e-5
    )


# The second episode's sentence is longer: without it no prefix is padded. Chunks have 16 steps, and
# only the third episode has more.
@pytest.mark.parametrize(
    "which",
    [range(0, 41, 3), range(12), range(21, 25), [11]],
    ids=["padded", "one sentence", "whole chunks", "one step"],
)
def test_cached_loss_equals_plain(policy, both, which):
    cached, plain = both
    loss, gradients = loss_and_gradients(policy, cached.batch(list(which)))
    expected, expected_gradients = loss_and_gradients(policy, plain.batch(list(which)))
    assert loss == pytest.approx(expected, rel=1e-5)
    for name, gradient in expected_gradients.items():
        scale = float(gradient.norm())
        assert float((gradients[name] - gradient).norm()) <= 1e-5 * scale, name


def test_what_lies_past_an_episodes_end_is_not_computed(policy, both):
    batch = both[0].batch([8, 22, 40])
    # Of chunks of 16 steps, 4, all and 1 are within their episodes.
    assert batch["steps"].tolist() == [*range(4), *range(16, 32), 32]
    assert both[0].batch([21, 22])["steps"] is None
    rows = []
    layer = policy.module.model.vlm_with_expert.lm_expert.layers[0]
    hook = layer.mlp.register_forward_hook(lambda _, inputs, output: rows.append(len(output)))
    loss, gradients = loss_and_gradients(policy, batch)
    hook.remove()
    assert rows == [4 + 16 + 1]
    batch["actions"][0, 4:] = 7.0
    batch["actions"][2, 1:] = -7.0
    again, same = loss_and_gradients(policy, batch)
    assert again == loss
    assert all(torch.equal(same[name], gradient) for name, gradient in gradients.items())


def test_every_trainable_parameter_gets_a_gradient(policy, both):
    _, gradients = loss_and_gradients(policy, both[0].batch([0, 1]))
    assert all(float(gradient.abs().sum()) > 0 for gradient in gradients.values())


def test_loss_depends_on_the_generator_alone(policy, both):
    batch = both[0].batch([0, 1, 2])
    torch.manual_seed(1)
    first = policy.loss(batch, generator(1)).item()
    torch.manual_seed(2)
    assert policy.loss(batch, generator(1)).item() == first
    assert policy.loss(batch, generator(2)).item() != first


def test_two_loads_are_one_policy(policy, dataset, statistics):
    state = torch.get_rng_state()
    again = TINY.build(TINY.options()).load(dataset.schema, statistics, seed=3, device="cpu")
    assert torch.equal(state, torch.get_rng_state())
    assert again.frozen_fingerprint() == policy.frozen_fingerprint()
    assert fingerprint(to_numpy(again.trainable())) == fingerprint(to_numpy(policy.trainable()))
    other = TINY.build(TINY.options()).load(dataset.schema, statistics, seed=4, device="cpu")
    assert fingerprint(to_numpy(other.trainable())) != fingerprint(to_numpy(policy.trainable()))
    assert other.frozen_fingerprint() == policy.frozen_fingerprint()


def test_other_cameras_are_another_policy(policy, dataset, statistics):
    schema = attrs.evolve(dataset.schema, cameras={TOP: (96, 96, 3)})
    other = TINY.build(TINY.options()).load(schema, statistics, seed=3, device="cpu")
    assert other.frozen_fingerprint() != policy.frozen_fingerprint()


def test_params_go_and_come_back(policy, dataset, statistics):
    other = TINY.build(TINY.options()).load(dataset.schema, statistics, seed=4, device="cpu")
    set_params(other.trainable(), to_numpy(policy.trainable()))
    assert fingerprint(to_numpy(other.trainable())) == fingerprint(to_numpy(policy.trainable()))


def test_only_the_expert_is_trained(policy):
    names = set(policy.trainable())
    assert all("vlm_with_expert.vlm." not in name for name in names)
    assert sum(p.numel() for p in policy.trainable().values()) == 1_227_144


def test_check_names_both_sides(policy, dataset):
    front = attrs.evolve(
        dataset.schema,
        cameras={"observation.images.front": (96, 96, 3), WRIST: (96, 96, 3)},
    )
    with pytest.raises(
        DataError,
        match=r"client 'left' has no camera observation\.images\.top, which the policy takes; it "
        r"has observation\.images\.front, observation\.images\.wrist; .*rename = "
        r"\{ \"observation\.images\.front\" = \"observation\.images\.top\" \}",
    ):
        policy.check(front, "client 'left'")
    with pytest.raises(DataError, match="record it, or name the cameras to use"):
        policy.check(attrs.evolve(dataset.schema, cameras={TOP: (96, 96, 3)}), "client 'left'")
    with pytest.raises(DataError, match=r"has 5 joints in action \(.*\), the policy takes 6"):
        policy.check(attrs.evolve(dataset.schema, action=dataset.schema.action[:5]), "it")
    policy.check(dataset.schema, "it")


def test_act(policy, dataset, views):
    state = dataset.state[:2]
    tasks = [episode.task for episode in dataset.episodes[:2]]
    actions = policy.act(views, state, tasks, generator())
    assert (actions.shape, actions.dtype) == ((2, 8, 6), np.float32)
    np.testing.assert_array_equal(actions, policy.act(views, state, tasks, generator()))


def test_noise_scale_is_how_much_a_plan_depends_on_the_draw(dataset, statistics, views):
    def difference(scale):
        family = TINY.build(TINY.options(noise_scale=scale))
        policy = family.load(dataset.schema, statistics, seed=3, device="cpu")
        first, second = (
            policy.act(views, dataset.state[:2], ["a", "a"], generator(seed)) for seed in (1, 2)
        )
        return np.abs(first - second).max()

    assert difference(0.0) == 0
    assert 0 < difference(0.1) < difference(1.0)


def test_chunk_must_hold_what_is_executed():
    options = TINY.options(chunk_size=4, n_action_steps=8)
    with pytest.raises(UsageError, match=r"policy\.n_action_steps is 8, more than"):
        TINY.build(options)


def save_act(folder):
    """Save a small policy of another kind, of one camera."""
    from lerobot.configs import FeatureType, PolicyFeature
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.act.modeling_act import ACTPolicy

    config = ACTConfig(
        input_features={
            "observation.state": PolicyFeature(FeatureType.STATE, (6,)),
            TOP: PolicyFeature(FeatureType.VISUAL, (3, 96, 96)),
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, (6,))},
        device="cpu",
        push_to_hub=False,
        pretrained_backbone_weights=None,
        chunk_size=4,
        n_action_steps=2,
        dim_model=32,
        n_heads=2,
        dim_feedforward=32,
        n_encoder_layers=1,
        n_vae_encoder_layers=1,
        latent_dim=4,
    )
    ACTPolicy(config).save_pretrained(folder)


def test_a_policy_that_only_some_may_read(dataset, statistics, tmp_path, monkeypatch):
    save_act(tmp_path / "act")
    family = LEROBOT.build(LEROBOT.options(path="owner/gated"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    with hub(tmp_path / "act") as server:
        go_online(monkeypatch, server, tmp_path / "home")
        server.readers = {"hf_mine"}
        with pytest.raises(UsageError, match=r"nor a model on the Hub that can be reached"):
            family.load(dataset.schema, statistics, seed=0, device="cpu")
        (tmp_path / ".env").write_text("HF_TOKEN=hf_mine\n")
        family.load(dataset.schema, statistics, seed=0, device="cpu")
    assert [name for name, _ in server.sent] == ["config.json", "model.safetensors"]


def test_act_policy(dataset, statistics, views, tmp_path):
    save_act(tmp_path / "act")
    with pytest.raises(
        UsageError, match=r"policy\.noise_scale is 0\.5, which only SmolVLA has; .* act: leave it"
    ):
        LEROBOT.build(LEROBOT.options(path=str(tmp_path / "act"), noise_scale=0.5)).load(
            dataset.schema, statistics, seed=0, device="cpu"
        )
    policy = LEROBOT.build(LEROBOT.options(path=str(tmp_path / "act"))).load(
        dataset.schema, statistics, seed=0, device="cpu"
    )
    policy.check(dataset.schema, "it")
    policy.module.train()
    batch = policy.source(dataset, ALL).batch([0, 11])
    first = policy.loss(batch, generator(1))
    first.backward()
    # Dropout and the latent sample come from the generator too.
    assert policy.loss(batch, generator(1)).item() == first.item()
    assert policy.loss(batch, generator(2)).item() != first.item()
    actions = policy.act({TOP: views[TOP]}, dataset.state[:2], ["a", "b"], generator())
    assert actions.shape == (2, 2, 6)
    policy.module.eval()
    assert np.isfinite(policy.loss(batch, generator(1)).item())
    policy.save(tmp_path / "again")
    assert (tmp_path / "again" / "policy_preprocessor.json").is_file()


@pytest.mark.parametrize("base", shipped_bases())
def test_shipped_base_is_frozen_and_small(base):
    from safetensors.numpy import load_file

    file = base_folder(base) / "base.safetensors"
    assert file.stat().st_size <= 8 * 1024**2
    tensors = load_file(file)
    assert all(name.startswith(FROZEN_PARTS) for name in tensors)
    assert all(tensor.dtype == np.float16 for tensor in tensors.values())
    assert "zk0 sim make-base" in (base_folder(base) / "NOTE.md").read_text()


def test_a_base_is_one_of_ours_or_a_folder_named_from_the_root_on(tmp_path, monkeypatch):
    """Whoever opens a plan may be in another folder than who made it."""
    shutil.copytree(base_folder("lift"), tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert TINY.options(base="mine").base == str(tmp_path / "mine")
    assert TINY.options(base="lift").base == "lift"
    assert base_folder(str(tmp_path / "mine")) == tmp_path / "mine"
    for base in ("mine", "lift/../lift", "../mine"):
        with pytest.raises(UsageError, match="neither a base that comes with zk0"):
            base_folder(base)


def test_a_base_that_is_not_there():
    with pytest.raises(UsageError) as caught:
        TINY.build(TINY.options(base="lfit"))
    assert str(caught.value) == (
        "policy.base is 'lfit': neither a base that comes with zk0 (four-tasks, lift) nor a folder "
        "with one; zk0 sim make-base --output DIR makes one"
    )


def test_tokenizer_splits_anything_into_known_pieces():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base_folder("lift"))
    for text in ("Pick up the red cube\n", "Räume die Gläser auf: 把杯子\n"):
        tokens = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in tokens
        assert tokenizer.decode(tokens) == text
    assert len(tokenizer("Pick up the red cube\n")["input_ids"]) <= 6


def test_written_folder_is_the_shipped_one(tmp_path):
    from zk0_core.lerobot.tiny_vlm import write_vlm_folder

    write_vlm_folder(tmp_path)
    for file in tmp_path.iterdir():
        assert file.read_text() == (base_folder("lift") / file.name).read_text(), file.name
