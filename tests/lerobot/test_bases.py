"""Making a frozen base, and what is said when one is missing or wrong."""

import errno
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from zk0_core.disk import is_full
from zk0_core.errors import DataError, UsageError, Zk0Error
from zk0_core.lerobot.compatibility import check_supported
from zk0_core.lerobot.families import LeRobotFamily, TinySmolVLAFamily
from zk0_core.lerobot.tiny_vlm import WEIGHTS, base_folder, load_frozen, write_vlm_folder
from zk0_core.sim.base import make_base
from zk0_core.sim.base_reader import GeometryReader, Reading
from zk0_core.sim.base_scenes import LABELS, draw, rendered
from zk0_core.sim.base_targets import BaseTargets, tokens_at
from zk0_core.sim.base_training import learning_rate
from zk0_core.sim.setup import COLOURS, LIFT, Setup


def test_scene_follows_from_its_seed():
    scene, again = draw(3), draw(3)
    assert scene.pictures.shape == (2, 3, 96, 96)
    assert scene.labels.shape == (LABELS,)
    assert scene.instruction == "Pick up the red cube"
    np.testing.assert_array_equal(scene.pictures, again.pictures)
    np.testing.assert_array_equal(scene.labels, again.labels)
    assert not np.array_equal(scene.pictures, draw(4).pictures)


def test_labels_agree_with_each_other():
    setups = (LIFT, Setup(task="place", colour="any"), Setup(task="sort"))
    for seed in range(9):
        labels = draw(seed, setups).labels
        cube, grasp, seen = labels[:3], labels[3:6], labels[6:9]
        # Turning into the gripper's frame keeps distances.
        assert np.linalg.norm(cube - grasp) == pytest.approx(np.linalg.norm(seen), abs=1e-5)
        # Half of the cube's side, less what it sinks into the table.
        assert cube[2] >= 0.0198
        assert np.linalg.norm(labels[10:]) == pytest.approx(0.1, abs=1e-5)


def test_scenes_of_several_tasks_take_turns():
    setups = (LIFT, Setup(task="push", colour="blue"))
    told = [draw(seed, setups).instruction for seed in range(4)]
    assert told == ["Pick up the red cube", "Push the blue cube over the line"] * 2
    # What is drawn of lifting alone does not depend on there being others.
    np.testing.assert_array_equal(draw(2, setups).pictures, draw(2).pictures)


def test_scenes_that_find_no_room_are_an_error_and_leave_nothing(tmp_path, monkeypatch):
    """The file of a map has holes, and a hole without room for it is SIGBUS, not an error."""

    def full(descriptor, start, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("ZK0_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="pictures of base scenes take ") as refused:
        rendered(2, workers=1)
    assert is_full(refused.value)
    assert [path for path in (tmp_path / "sim").iterdir() if path.is_dir()] == []


def test_learning_rate_by_hand():
    assert learning_rate(0, 1000) == pytest.approx(1e-3 / 100)
    assert learning_rate(500, 1000) == pytest.approx((1e-3 + 2e-5) / 2)
    assert learning_rate(1000, 1000) == pytest.approx(2e-5)


def test_the_same_call_makes_the_same_base(tmp_path, dataset, statistics):
    first = make_base(tmp_path / "a", scenes=20, steps=2, workers=1)
    second = make_base(tmp_path / "b", scenes=20, steps=2, workers=1)
    assert first.cube_cm == second.cube_cm
    content = (tmp_path / "a" / "base.safetensors").read_bytes()
    assert content == (tmp_path / "b" / "base.safetensors").read_bytes()
    note = (tmp_path / "a" / "NOTE.md").read_text()
    assert "zk0 sim make-base --scenes 20 --steps 2 --seed 0" in note
    assert f"| cube | {first.cube_cm:.2f} |" in note
    policy = TinySmolVLAFamily(base=str(tmp_path / "a")).load(
        dataset.schema, statistics, seed=0, device="cpu"
    )
    policy.save(tmp_path / "model")
    assert not (tmp_path / "model" / "vlm" / "base.safetensors").exists()


def test_a_base_for_several_tasks(tmp_path):
    """It goes on from the one that comes with zk0, and in one step it stays near."""
    report = make_base(
        tmp_path, tasks=("lift", "sort"), colour="any", start="lift", scenes=20, steps=1, workers=1
    )
    # Two scenes are held out, one of each task.
    assert report.cube_cm == pytest.approx(sum(report.cube_cm_in.values()) / 2, rel=1e-5)
    note = (tmp_path / "NOTE.md").read_text()
    command = "--scenes 20 --steps 1 --seed 0 --task lift --task sort --colour any --start lift"
    assert f"`zk0 sim make-base {command}`" in note
    assert "trained\non from the base `lift` to tell" in note
    assert f"| cube, in scenes of sort | {report.cube_cm_in['sort']:.2f} |" in note
    made, lift = (load_file(folder / WEIGHTS) for folder in (tmp_path, base_folder("lift")))
    # AdamW's first step is as long as the learning rate; float16 rounds after that.
    moved = max(float((made[name] - lift[name]).abs().max()) for name in lift)
    assert 0 < moved < 2 * learning_rate(0, 1) + 0.01


def test_a_base_that_starts_from_none(tmp_path):
    with pytest.raises(UsageError, match=r"^--start is 'lfit': neither a base that comes with zk0"):
        make_base(tmp_path / "base", start="lfit")


def test_what_a_base_learns_is_read_where_a_policy_sees_it(tmp_path):
    """Behind the second and third of four layers too: of the last, a policy sees no output."""
    write_vlm_folder(tmp_path)
    reader = GeometryReader(tmp_path, told=True)
    reading = reader(torch.rand(2, 2, 3, 96, 96), ["Pick up the red cube"] * 2)
    labels, by_colour, tokens = reading.labels, reading.by_colour, reading.tokens
    assert labels.shape == (3, 2, LABELS) and by_colour.shape == (2, 4, 3)
    assert tokens.shape == (3, 2, 2, 16)

    def learning(read):
        reader.zero_grad()
        read.sum().backward(retain_graph=True)
        weights = (layer.self_attn.v_proj.weight for layer in reader.vlm.model.text_model.layers)
        return sum(w.grad is not None and bool(w.grad.any()) for w in weights)

    assert [learning(read) for read in (by_colour, *labels)] == [1, 2, 3, 4]
    assert [learning(read) for read in tokens] == [1, 2, 3]


def test_where_the_cube_of_each_colour_is():
    setup = Setup(task="sort")
    for seed in range(6):
        scene = draw(seed, (setup,))
        there = ~np.isnan(scene.by_colour[:, 0])
        assert there.sum() == 2
        named = [colour in scene.instruction for colour in COLOURS].index(True)
        np.testing.assert_array_equal(scene.by_colour[named], scene.labels[:3])


def test_which_token_shows_a_place():
    """Four across and four down, row by row; what is not in the picture is shown by none."""
    inside = [[0, 0], [0.99, 0], [0.3, 0.6], [0.99, 0.99]]
    outside = [[1, 0.5], [-0.01, 0.5], [0.5, 1.2], [np.nan, np.nan]]
    assert tokens_at(np.array(inside)).tolist() == [0, 3, 9, 15]
    assert tokens_at(np.array(outside)).tolist() == [-100] * 4


def test_the_token_that_shows_the_named_cube_has_its_colour():
    """Where the gripper is not before it; a token is a quarter of the picture's width."""
    arm_setup = Setup(task="sort", colour="red")
    found = 0
    for seed in range(8):
        scene = draw(seed, (arm_setup,))
        (token, _) = tokens_at(scene.seen_at)
        row, column = divmod(int(token), 4)
        square = scene.pictures[0, :, 24 * row : 24 * row + 24, 24 * column : 24 * column + 24]
        red, green, blue = square.astype(int)
        found += bool(((red > green + 60) & (red > blue + 60)).any())
    assert found >= 7


def test_losses_by_hand():
    """Half the square of 0.1; 2 - 0.5; and ln 16 for tokens that say nothing."""
    nothing = torch.zeros(2, 1, 2, 16)
    targets = BaseTargets(
        mean=np.zeros(LABELS, np.float32),
        deviation=np.full(LABELS, 2, np.float32),
        labels=torch.zeros(1, LABELS),
        by_colour=torch.tensor([[[0.0] * 3, [float("nan")] * 3]]),
        tokens=torch.tensor([[3, -100]]),
    )
    labels = torch.full((3, 1, LABELS), 0.1)
    assert targets.loss(Reading(labels, None, None), [0]).item() == pytest.approx(0.005)
    far = Reading(labels, torch.full((1, 2, 3), 2.0), nothing)
    assert targets.loss(far, [0]).item() == pytest.approx(0.005 + 1.5 + 0.2 * np.log(16))
    np.testing.assert_allclose(targets.errors(labels[-1]), 0.2, rtol=1e-6)


def test_words_that_fill_up_change_nothing(tmp_path):
    """A short instruction beside a long one gives what it gives alone."""
    write_vlm_folder(tmp_path)
    torch.manual_seed(0)
    reader = GeometryReader(tmp_path).eval()
    pictures = torch.rand(1, 2, 3, 96, 96)
    short, long = "Pick up the red cube", "Put the yellow cube into the bin"
    with torch.no_grad():
        alone = reader(pictures, [short]).labels
        both = reader(pictures.repeat(2, 1, 1, 1, 1), [short, long]).labels
    torch.testing.assert_close(both[:, :1], alone)
    assert not torch.allclose(both[:, 0], both[:, 1])


def test_base_reads_the_prefix_that_smolvla_makes(policy, dataset):
    """The base was trained through transformers' own text model: the two agree."""
    reader = GeometryReader(policy.module.model.vlm_with_expert.processor.tokenizer.name_or_path)
    reader.vlm.load_state_dict(policy.module.model.vlm_with_expert.vlm.state_dict())
    from zk0_core.lerobot.examples import observation
    from zk0_core.lerobot.prefix_model import prefix_of

    task = dataset.episodes[0].task
    views = {c: next(dataset.frames(c))[None] for c in dataset.schema.cameras}
    batch = policy._pre(observation(views, dataset.state[:1], [task]))
    theirs, _ = prefix_of(policy.module, batch)
    kept = {}

    def keep(module, inputs, output):
        kept["values"] = output

    last = reader.vlm.model.text_model.layers[-1].self_attn.v_proj
    hook = last.register_forward_hook(keep)
    pictures = np.stack([views[c].transpose(0, 3, 1, 2) for c in views], axis=1)
    with torch.no_grad():
        reader(torch.from_numpy(pictures).float() / 255, [task])
    hook.remove()
    torch.testing.assert_close(kept["values"], theirs[:, -1, 1], rtol=1e-4, atol=1e-5)


def test_base_of_another_architecture(tmp_path):
    write_vlm_folder(tmp_path)
    reader = GeometryReader(tmp_path)
    with pytest.raises(Zk0Error, match=r"tensors missing or unknown, model\.connector"):
        load_frozen(reader.vlm, {})


def test_unused_tensors_are_zero(policy):
    head = policy.module.model.vlm_with_expert.vlm.lm_head.weight
    assert not bool(head.any())


def test_schema_without_camera(dataset, statistics):
    import attrs

    blind = attrs.evolve(dataset.schema, cameras={})
    with pytest.raises(DataError, match="the dataset has no camera; the policy needs one"):
        TinySmolVLAFamily().load(blind, statistics, seed=0, device="cpu")


def test_policies_that_zk0_cannot_feed():
    from lerobot.configs import NormalizationMode
    from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig

    config = DiffusionConfig(device="cpu", push_to_hub=False)
    with pytest.raises(DataError, match="'diffusion' takes 2 observations at a time, zk0 gives"):
        check_supported(config)
    config.normalization_mapping = {"STATE": NormalizationMode.QUANTILES}
    with pytest.raises(DataError, match="'diffusion' normalises by QUANTILES; zk0 pools mean"):
        check_supported(config)


def test_weights_that_lack_tensors(policy, dataset, statistics, tmp_path):
    from safetensors.torch import save_file

    policy.save(tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.state_proj.weight"]
    save_file(tensors, file)
    with pytest.raises(UsageError, match=r"lacks 1 tensors of the policy, model\.state_proj\.w"):
        LeRobotFamily(str(tmp_path / "model")).load(
            dataset.schema, statistics, seed=0, device="cpu"
        )
    file.unlink()
    with pytest.raises(UsageError, match=r"model\.safetensors is missing; copy the policy again"):
        LeRobotFamily(str(tmp_path / "model")).load(
            dataset.schema, statistics, seed=0, device="cpu"
        )
