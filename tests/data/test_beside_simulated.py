"""A set shaped like a real recording trains beside a simulated one."""

import json
import math
from pathlib import Path

import pytest
from conftest import Zk0
from recordings import Recording, write_v3

pytestmark = pytest.mark.long

FRONT, TOP = "observation.images.front", "observation.images.top"
JOINTS = tuple(
    f"{name}.pos"
    for name in (
        "shoulder_pan",
        "shoulder_lift",
        "elbow_flex",
        "wrist_flex",
        "wrist_roll",
        "gripper",
    )
)
REAL = Recording(
    lengths=(9, 7, 8, 6),
    fps=30,
    cameras={FRONT: (480, 640), TOP: (480, 640)},
    codecs={FRONT: "libsvtav1"},
    state=JOINTS,
    action=JOINTS,
)
SIMULATED = "sim:lift?region=left&episodes=2"


@pytest.fixture
def _own_cache() -> None:
    """Share the recordings of the simulator."""


def test_after_a_rename_map_and_at_its_rate(
    zk0: Zk0, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_v3(tmp_path / "desk", REAL)
    outcome = zk0("data", "check", SIMULATED, f"local:{folder}", "--json")
    assert outcome.status == 1
    errors = [f["what"] for f in outcome.json["findings"] if f["error"]]
    assert sorted(errors) == ["cameras", "fps"]
    assert outcome.json["renames"][f"local:{folder}"] == {FRONT: "observation.images.wrist"}

    real = f"local:{folder}?fps=10&eval_episodes=1&rename={FRONT}:observation.images.wrist"
    assert zk0("data", "check", SIMULATED, real).status == 0
    done = zk0(
        *("run", "--client", SIMULATED, "--client", real, "--eval", real),
        *("--rounds", "1", "--local-steps", "2", "--batch-size", "2", "--output", "output"),
    )
    assert done.status == 0, done.error
    last = json.loads((tmp_path / "output" / "history.jsonl").read_text().splitlines()[-1])
    # Of the first three episodes, 9, 7 and 8 frames, one of three: 3 + 3 + 3.
    assert {c["client"]: c["examples"] for c in last["clients"]}["desk"] == 9
    assert all(math.isfinite(client["loss"]) for client in last["clients"])
    assert (last["datasets"][0]["episodes"], last["datasets"][0]["frames"]) == (1, 2)
