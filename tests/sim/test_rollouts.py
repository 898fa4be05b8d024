"""Closed loop with a real small policy: the same figures everywhere, and what is beside a film."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from zk0_core.engines.apps import recipe_of
from zk0_core.engines.workers import Workers
from zk0_core.fixed_loss import fixed_loss
from zk0_core.lerobot.stats import episode_sums
from zk0_core.parameters import to_numpy
from zk0_core.parts import build_evaluator, open_dataset
from zk0_core.plan import EvaluationPlan, PluginChoice
from zk0_core.protocols import EvaluationRequest
from zk0_core.server.model import ModelRef, load_model, write_params
from zk0_core.sim.demonstration import demonstrate
from zk0_core.sim.rollouts import RolloutBatch, _jerk, roll_out
from zk0_core.sim.setup import Setup
from zk0_core.sim.shown import shown
from zk0_core.sim.spec import EVALUATION_STARTS, SimSpec
from zk0_core.testing import examples
from zk0_core.testing.evaluator import InlinePool

DATASET = "sim:push?region=all"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    """An untrained tiny policy, its parameters in a file as in a run."""
    dataset = open_dataset("sim:lift?region=left&episodes=2")
    recipe = recipe_of(examples.plan(policy=PluginChoice("policy", "smolvla-tiny")))
    statistics = episode_sums(dataset, dataset.episodes)
    ref = ModelRef(recipe, dataset.schema, statistics, params=None)
    path = tmp_path_factory.mktemp("model") / "params.safetensors"
    params_hash = write_params(path, to_numpy(load_model(ref).trainable()))
    return attrs.evolve(ref, params=path, params_hash=params_hash)


def evaluated(
    model: ModelRef, folder: Path, pool: Any, evaluator: PluginChoice, dataset: str = DATASET
) -> dict[str, Any]:
    request = EvaluationRequest(
        plan=examples.plan(evaluations=(EvaluationPlan(dataset, evaluator),)),
        round=1,
        dataset=dataset,
        model=model,
        folder=folder,
        pool=pool,
        final=False,
    )
    return build_evaluator(evaluator).evaluate(request)


def test_one_worker_and_two_find_the_same_to_the_last_digit(
    model: ModelRef, tmp_path: Path
) -> None:
    """Over two batches of starts, which two workers share."""
    choice = PluginChoice("evaluator", "sim-success", {"rollouts": 11, "videos": 1})
    found = []
    for count in (1, 2, 2):
        folder = tmp_path / str(len(found))
        workers = Workers(count, threads=1)
        try:
            figures = evaluated(model, folder, workers, choice)
        finally:
            workers.close()
        facts = json.loads((folder / "push-all" / "start_0.json").read_text())
        found.append((figures, json.loads(next(folder.rglob("rollouts.json")).read_text()), facts))
    assert found[0] == found[1] == found[2]
    assert found[0][0]["rollouts"] == 11 and found[0][0]["smoothness"] > 0


@pytest.mark.parametrize(
    ("path", "jerk"),
    [
        # 0, 1, 8, 27, 64 are cubes, whose third difference is 6 everywhere.
        ([0, 1, 8, 27, 64], 36.0),
        # Differences 1, 1, -1, 1; 0, -2, 2; -2, 4: (4 + 16) / 2.
        ([0, 1, 2, 1, 2], 10.0),
        # Steady motion has none, and three steps tell of none.
        ([0, 2, 4, 6, 8], 0.0),
        ([0, 5, 0], 0.0),
    ],
)
def test_smoothness_by_hand(path: Sequence[float], jerk: float) -> None:
    one = np.array(path, float)[:, None]
    assert _jerk(one) == jerk
    # A joint that rests beside it halves the mean.
    assert _jerk(np.hstack([one, np.zeros_like(one)])) == jerk / 2


def test_beside_a_film_lies_the_loss_on_what_the_expert_does_from_there(
    model: ModelRef, tmp_path: Path
) -> None:
    spec = SimSpec.parse(DATASET)
    (rollout,) = roll_out(RolloutBatch(model, spec, (0,), (0,), tmp_path))
    facts = json.loads((tmp_path / "start_0.json").read_text())
    loss = facts.pop("policy_loss")
    assert facts == attrs.asdict(rollout)
    way = shown(spec.setup, "all", EVALUATION_STARTS[0])
    assert way is not None
    policy = load_model(model)
    assert loss == fixed_loss(policy, policy.source(way, [0]), "cpu") > 0


def test_what_the_expert_shows_is_undisturbed() -> None:
    setup, seed = Setup(task="push"), EVALUATION_STARTS[0]
    way, again = (demonstrate(setup, "all", seed, disturbed=False) for _ in range(2))
    disturbed = demonstrate(setup, "all", seed)
    assert way is not None and again is not None and disturbed is not None
    np.testing.assert_array_equal(way.states, again.states)
    assert not np.array_equal(way.states[:9], disturbed.states[:9])
    kept = shown(setup, "all", seed)
    assert kept is not None and kept is shown(setup, "all", seed)
    np.testing.assert_array_equal(kept.action, way.actions)
    assert [len(list(kept.frames(camera))) for camera in kept.schema.cameras] == [
        len(way.states)
    ] * 2


def test_where_the_expert_fails_there_is_no_loss(
    model: ModelRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zk0_core.sim.rollouts.shown", lambda *_: None)
    roll_out(RolloutBatch(model, SimSpec.parse(DATASET), (0,), (0,), tmp_path))
    assert json.loads((tmp_path / "start_0.json").read_text())["policy_loss"] is None


def test_beside_a_replay_lies_the_loss_on_its_episode(model: ModelRef, tmp_path: Path) -> None:
    from zk0_core.replay import ReplayJob, replay

    uri = "sim:lift?region=left&split=eval&episodes=1"
    replay(ReplayJob(model, uri, {}, 0, tmp_path / "episode_0.mp4"))
    facts = json.loads((tmp_path / "episode_0.json").read_text())
    policy = load_model(model)
    expected = fixed_loss(policy, policy.source(open_dataset(uri), [0]), "cpu")
    assert facts["policy_loss"] == expected
    # With the same noise as the evaluator of that name, which has this one episode too.
    choice = PluginChoice("evaluator", "policy-loss")
    figures = evaluated(model, tmp_path, InlinePool(), choice, uri)
    assert figures["policy_loss"] == expected


_WITHOUT = """
import ctypes, ctypes.util, sys
from pathlib import Path

real = ctypes.CDLL.__init__

def refuse(self, name, *arguments, **options):
    if name and any(part in str(name) for part in ("libGL", "libEGL", "OSMesa", "libcuda")):
        raise OSError(f"{name} is not on this machine")
    real(self, name, *arguments, **options)

ctypes.CDLL.__init__ = refuse

import mujoco

def no_context(*arguments, **options):
    raise RuntimeError("no GL on this machine")

mujoco.Renderer = mujoco.GLContext = no_context

from zk0_core.sim.arm import SimulatedArm
from zk0_core.sim.film import Film

arm = SimulatedArm()
arm.reset(1)
film = Film(Path(sys.argv[1]))
film.plan(arm, arm.joints()[None])
arm.step(arm.joints())
film.take(arm, arm.joints())
film.finish(False, {"success": False})
assert not [name for name in sys.modules if name.startswith(("OpenGL", "glfw", "mujoco.egl"))]
"""


def test_films_need_no_gpu_no_gl_and_no_ffmpeg(tmp_path: Path) -> None:
    """In a process that finds none of them, and no program either."""
    import av

    nothing = tmp_path / "bin"
    nothing.mkdir()
    environment = {
        **os.environ,
        "PATH": str(nothing),
        "MUJOCO_GL": "disabled",
        "CUDA_VISIBLE_DEVICES": "",
    }
    assert shutil.which("ffmpeg", path=str(nothing)) is None
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, str(tmp_path / "a.mp4")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert len(list(container.decode(video=0))) > 1
