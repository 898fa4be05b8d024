"""A saved policy: opened by LeRobot itself and by `lerobot`, in place and moved."""

import json
import subprocess
import sys

import attrs
import numpy as np
import pytest
import torch

from zk0_core.builtin.policy_lerobot import PLUGIN as LEROBOT
from zk0_core.errors import UsageError
from zk0_core.parameters import to_numpy
from zk0_core.tensors import fingerprint

WRIST = "observation.images.wrist"

OPEN = """
import json, sys, numpy as np, torch
from lerobot.policies.factory import make_pre_post_processors
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
assert "zk0_core" not in sys.modules
folder, given = sys.argv[1], np.load(sys.argv[2])
policy = SmolVLAPolicy.from_pretrained(folder)
pre, post = make_pre_post_processors(policy.config, pretrained_path=folder)
batch = {name: torch.from_numpy(given[name]) for name in given.files if name.startswith("obs")}
noise = torch.from_numpy(given["noise"])
chunk = policy.predict_action_chunk(pre(batch | {"task": [str(given["task"])] * 2}), noise=noise)
np.save(sys.argv[3], post(chunk[:, : policy.config.n_action_steps]).numpy())
"""


def test_stock_lerobot_opens_a_saved_policy_in_place_and_moved(policy, dataset, views, tmp_path):
    task = dataset.episodes[0].task
    expected = policy.act(views, dataset.state[:2], [task, task], torch.Generator().manual_seed(7))
    noise = torch.randn((2, 16, 8), generator=torch.Generator().manual_seed(7)).numpy()
    observed = {name: v.transpose(0, 3, 1, 2).astype(np.float32) / 255 for name, v in views.items()}
    observed["observation.state"] = dataset.state[:2]
    np.savez(tmp_path / "given.npz", noise=noise, task=task, **observed)

    saved = tmp_path / "run" / "final"
    policy.save(saved)
    policy.save(saved)  # once more over itself
    vlm = json.loads((saved / "config.json").read_text())["vlm_model_name"]
    assert vlm == str(saved / "vlm")
    assert not list((saved / "vlm").glob("*.safetensors"))

    def actions(folder):
        run = subprocess.run(
            [sys.executable, "-c", OPEN, folder, tmp_path / "given.npz", tmp_path / "out.npy"],
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr[-2000:]
        return np.load(tmp_path / "out.npy")

    np.testing.assert_allclose(actions(saved), expected, rtol=1e-5, atol=1e-4)
    moved = tmp_path / "elsewhere"
    saved.rename(moved)
    # The command that the README gives for a moved model.
    subprocess.run(
        """perl -pi -e 's|"[^"]*/vlm"|"$ENV{PWD}/vlm"|' config.json policy_preprocessor.json""",
        shell=True,
        cwd=moved,
        check=True,
    )
    np.testing.assert_allclose(actions(moved), expected, rtol=1e-5, atol=1e-4)


def test_lerobot_family_opens_it_wherever_it_is(policy, dataset, statistics, tmp_path):
    policy.save(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    family = LEROBOT.build(LEROBOT.options(path=str(tmp_path / "there")))
    assert (family.default_lr, family.default_batch_size) == (1e-4, 64)
    again = family.load(dataset.schema, statistics, seed=0, device="cpu")
    assert fingerprint(to_numpy(again.trainable())) == fingerprint(to_numpy(policy.trainable()))
    assert again.frozen_fingerprint() == policy.frozen_fingerprint()


def test_lerobot_family_with_fewer_cameras(policy, dataset, statistics, tmp_path):
    policy.save(tmp_path / "model")
    options = LEROBOT.options(path=str(tmp_path / "model"), cameras=WRIST)
    one = LEROBOT.build(options).load(dataset.schema, statistics, seed=0, device="cpu")
    one.check(attrs.evolve(dataset.schema, cameras={WRIST: (96, 96, 3)}), "it")
    options = LEROBOT.options(path=str(tmp_path / "model"), cameras="observation.images.side")
    with pytest.raises(UsageError, match=r"has no camera 'observation\.images\.side'; it has"):
        LEROBOT.build(options).load(dataset.schema, statistics, seed=0, device="cpu")


def test_lerobot_family_without_a_policy(dataset, statistics, tmp_path):
    def load(path):
        family = LEROBOT.build(LEROBOT.options(path=str(path)))
        return family.load(dataset.schema, statistics, seed=0, device="cpu")

    with pytest.raises(UsageError, match=r"config\.json is missing"):
        load(tmp_path)
    with pytest.raises(UsageError, match="neither a folder with a LeRobot policy nor a model"):
        load("nobody/nothing")
