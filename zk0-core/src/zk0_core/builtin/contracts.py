"""What the built-in plugins are tried on; `zk0 plugins test` finds this module beside plugin.py.

Those that are not named here hold their contracts as they are.
"""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from zk0_core.testing import (
    CodecContract,
    EvaluatorContract,
    LoaderContract,
    PolicyContract,
    ReporterContract,
)
from zk0_core.testing.policy import DATASET

HUB = "it needs the Hub; what it opens is a folder, and opened as `local` opens one"


class TestSim(LoaderContract):
    """Demonstrations that are recorded when they are asked for."""

    plugin = "sim"
    address = DATASET


class TestLocal(LoaderContract):
    """A LeRobot folder: that of recorded demonstrations."""

    plugin = "local"

    def sample(self, folder: Path) -> str:
        """Return the address of recorded demonstrations, one episode of them held out."""
        from zk0_core.sim.record import recorded
        from zk0_core.sim.spec import SimSpec

        (recording,) = recorded([SimSpec.parse(DATASET)], 1)
        return f"local:{recording}?eval_episodes=1"


class TestHub(LoaderContract):
    """A dataset of the Hub."""

    plugin = "hf"
    missing = "hf:nobody/nothing"

    def sample(self, folder: Path) -> str:
        """Return the address that was given; without one there is nothing to try.

        Raises:
            SkipTest: because the Hub is not asked unless an address is given.
        """
        from unittest import SkipTest

        if not self.address:
            raise SkipTest(HUB)
        return self.address


class TestSimSuccess(EvaluatorContract):
    """Closed-loop success, of few starts."""

    plugin = "sim-success"
    options: ClassVar = {"rollouts": 2, "videos": 1}


class TestDatasetReplay(EvaluatorContract):
    """Replays of recorded episodes, with a video."""

    plugin = "dataset-replay"
    options: ClassVar = {"videos": 1}


class TestPublishing(ReporterContract):
    """The Hub, which is not asked: runs without a model have nothing to publish."""

    plugin = "hub"
    options: ClassVar = {"repository": "nobody/nothing"}


class TestWandb(ReporterContract):
    """Weights & Biases, without its service."""

    plugin = "wandb"
    options: ClassVar = {"mode": "offline"}


class TestTopK(CodecContract):
    """The largest values of an update."""

    plugin = "topk"
    exceptions: ClassVar = {
        "test_updates_come_back_near": "what is not sent at once comes with later updates"
    }


class TestLeRobot(PolicyContract):
    """A saved LeRobot policy: the tiny one, as zk0 saves it."""

    plugin = "lerobot"

    def built_options(self) -> Any:
        """Return options with the path of a saved policy, unless one is given."""
        if not self.options:
            return self.record().options(path=str(_saved()))
        return super().built_options()


@functools.cache
def _saved() -> Path:
    """Return a folder with the tiny policy, which is gone when the process ends."""
    from zk0_core.lerobot.stats import episode_sums
    from zk0_core.parts import build_policy_family, open_dataset
    from zk0_core.plan import PluginChoice

    place = Path(tempfile.mkdtemp(prefix="zk0-contract-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    dataset = open_dataset(DATASET)
    family = build_policy_family(PluginChoice("policy", "smolvla-tiny"))
    statistics = episode_sums(dataset, dataset.episodes)
    family.load(dataset.schema, statistics, seed=0, device="cpu").save(place / "model")
    return place / "model"
