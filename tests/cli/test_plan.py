"""The curves of the planned rounds: values, picture, and what they cannot know."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zk0_cli.curves import planned_curves
from zk0_core.runfile import plan_from_json

GIVEN = ("--lr", "0.001", "--batch-size", "8")


@pytest.fixture
def preview(zk0, tmp_path: Path):
    """Returns what `zk0 plan preview --json` prints."""

    def preview(*arguments: str) -> Any:
        shown = zk0("plan", "preview", *arguments, "--plot", str(tmp_path / "p.png"), "--json")
        assert shown.status == 0, shown.error
        return json.loads(shown.out)

    return preview


def size(picture: Path) -> tuple[int, int]:
    """Return width and height that the header of a PNG file says."""
    header = picture.read_bytes()[:24]
    assert header.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(header[16:20]), int.from_bytes(header[20:24])


def test_warm_restarts_at_every_local_step(preview, run_file: str) -> None:
    shown = preview(
        run_file,
        *("--rounds", "4", "--local-steps", "3", "--eta-min", "0"),
        *("--scheduler", "warm-restarts", "--scheduler.t-0", "2", "--scheduler.t-mult", "1"),
        *("--scheduler.eta-min", "0"),
    )
    # A cycle of 6 steps: (1 + cos(π k / 6)) / 2 of 1e-3, with cos(π/6) = √3/2.
    cycle = [1.0, (1 + 3**0.5 / 2) / 2, 0.75, 0.5, 0.25, (1 - 3**0.5 / 2) / 2]
    found = [value for entry in shown["rounds"] for value in entry["lr"]]
    assert found == pytest.approx([1e-3 * value for value in cycle * 2])
    assert [entry["round"] for entry in shown["rounds"]] == [1, 2, 3, 4]
    assert [entry["restart"] for entry in shown["rounds"]] == [False, False, True, False]
    assert shown["rounds"][0]["mu"] == [0.01] * 3
    assert shown["notice"] == ""


def test_mu_decays_from_round_to_round(preview, run_file: str) -> None:
    shown = preview(run_file, "--rounds", "3", "--local-steps", "2", "--mu-scheduler", "decay")
    # 0.01 · 0.98 and 0.01 · 0.98².
    values = [entry["mu"] for entry in shown["rounds"]]
    assert values == [pytest.approx([mu, mu]) for mu in (0.01, 0.0098, 0.009604)]


def test_what_depends_on_the_history_is_named(preview, run_file: str) -> None:
    chain = ("--scheduler", "warm-restarts", "--scheduler", "trend", "--scheduler")
    shown = preview(run_file, *chain, "adaptive-boost", "--mu-scheduler", "loss-spread")
    assert shown["lr_chain"] == ["warm-restarts", "trend", "adaptive-boost"]
    assert shown["history_dependent"] == ["trend", "adaptive-boost", "loss-spread"]
    assert shown["notice"] == (
        "trend, adaptive-boost, loss-spread depend on the run's history: drawn as if nothing "
        "happened (empty history)"
    )
    assert preview(run_file, "--scheduler", "trend")["notice"] == (
        "trend depends on the run's history: drawn as if nothing happened (empty history)"
    )


def test_the_table_and_the_picture(zk0, run_file: str, tmp_path: Path) -> None:
    shown = zk0(
        *("plan", "preview", run_file, "--rounds", "5", "--local-steps", "2"),
        *("--scheduler", "warm-restarts", "--scheduler.warm-restarts.t-0", "3"),
        *("--scheduler", "trend", "--plot", str(tmp_path / "new" / "p.png")),
    )
    assert shown.status == 0
    lines = shown.out.splitlines()
    assert lines[0].split("  ")[0] == "ROUND"
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["1", "first"],
        ["4", "restart"],
        ["5", "last"],
    ]
    assert lines[4].startswith("trend depends on the run's history: drawn as if nothing happened")
    assert lines[5] == f"picture: {tmp_path}/new/p.png"
    width, height = size(tmp_path / "new" / "p.png")
    assert width > height > 300


def test_a_strategy_without_mu_has_one_curve(zk0, run_file: str, tmp_path: Path) -> None:
    pictures = [tmp_path / "one.png", tmp_path / "two.png"]
    for strategy, picture in zip(("fedavg", "fedprox"), pictures, strict=True):
        shown = zk0("plan", "preview", run_file, "--strategy", strategy, "--plot", str(picture))
        assert shown.status == 0
        assert shown.out.splitlines()[1].endswith("  -") == (strategy == "fedavg")
    one, two = map(size, pictures)
    assert one[0] == two[0]
    assert one[1] < two[1]


def test_many_restarts_are_counted(zk0, run_file: str, tmp_path: Path) -> None:
    picture = str(tmp_path / "p.png")
    shown = zk0(
        *("plan", "preview", run_file, "--rounds", "30", "--scheduler", "cosine"),
        *("--plot", picture),
    )
    lines = shown.out.splitlines()
    assert [line.split()[0] for line in lines[1:13]] == [*map(str, range(1, 12)), "30"]
    assert lines[13] == "19 more restarts, the last in round 30"


def test_without_a_run_file_the_embedded_default(
    zk0, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = zk0("plan", "preview", *GIVEN)
    assert shown.status == 0
    assert shown.out.endswith("picture: schedules.png\n")
    assert (tmp_path / "schedules.png").is_file()


def test_the_values_are_those_of_the_plan(zk0, preview, run_file: str) -> None:
    plan = plan_from_json(zk0("run", run_file, "--dry-run", "--json").out)
    assert [list(entry.lr) for entry in planned_curves(plan).rounds] == [
        entry["lr"] for entry in preview(run_file)["rounds"]
    ]


def test_a_dry_run_draws_too(zk0, run_file: str, tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    shown = zk0("run", run_file, "--dry-run", "--json", "--plot", str(picture))
    assert shown.status == 0
    assert plan_from_json(shown.out).rounds == 1
    assert size(picture)[0] > 300


def test_a_dry_run_says_what_its_picture_cannot_know(zk0, run_file: str, tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    shown = zk0("run", run_file, "--scheduler", "trend", "--dry-run", "--plot", str(picture))
    assert shown.status == 0
    assert shown.error == (
        "trend depends on the run's history: drawn as if nothing happened (empty history)\n"
        f"picture: {picture}\n"
    )


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("plan preview --plot p.jpg", "--plot must name a .png file, got 'p.jpg'"),
        ("run --dry-run --plot p", "--plot must name a .png file, got 'p'"),
        (
            "run --plot p.png",
            "--plot p.png goes with --dry-run; add it, or draw with zk0 plan preview --plot p.png",
        ),
        ("plan preview --output out", "No such option '--output'; see zk0 plan preview --help"),
        (
            "plan preview --scheduler warm-restart",
            "did you mean 'warm-restarts'? (from --scheduler)",
        ),
        (
            "plan preview --scheduler cosine --scheduler cosine",
            "scheduler 'cosine' is chosen twice; keep one (from --scheduler)",
        ),
        (
            "plan preview --scheduler trend --scheduler.window 3",
            "scheduler.window is unknown; the choices are adjustment_window, spike_threshold, "
            "divergence_factor, min_improvement, stall_factor, max_adjust_factor "
            "(from --scheduler.window)",
        ),
    ],
)
def test_errors(zk0, line: str, error: str) -> None:
    shown = zk0(*line.split())
    assert shown.status == 2
    assert shown.out == ""
    assert error in shown.error
    assert shown.error.count("\n") == 1


def test_help_lists_the_options_of_what_is_chosen(zk0) -> None:
    shown = zk0("plan", "preview", "--scheduler", "trend", "--help")
    assert shown.status == 0
    assert "Usage: zk0 plan preview [OPTIONS] [RUNFILE]" in shown.out
    assert "--scheduler.adjustment-window WHOLE NUMBER" in shown.out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom zk0_cli.main import main\n"
        "try:\n    main(['plan', 'preview', '--help'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(shown.stdout.splitlines()[-1].split())
    assert not imported & {"torch", "flwr", "lerobot", "mujoco", "matplotlib", "numpy"}
