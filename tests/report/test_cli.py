"""`zk0 report` as it is typed, and the reporter that writes the page of every run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import Zk0
from tests.run_folders import WriteRun, history, plan
from zk0_core.parts import build_reporter
from zk0_core.plan import PluginChoice
from zk0_core.preset import preset_settings
from zk0_core.registry import Registry
from zk0_core.resolve import resolve_plan


def test_a_page_is_written_into_the_run(
    zk0: Zk0, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run()
    monkeypatch.chdir(folder.parents[1])
    shown = zk0("report", "outputs/small")
    assert (shown.status, shown.error) == (0, "")
    assert shown.out.splitlines() == [
        "It learned: success rose from 0 % untrained to 70 % in round 2.",
        "  The difference is +70 points, with 95 % confidence +43 to +85.",
        "  That covers the chance in which starts were tried. Another seed may train another "
        "policy: zk0 compare trains several.",
        "  Clearly better in 2 of 2 regions: left, right.",
        "  Best in left, 90 % (60 to 98 %); worst in right, 50 % (24 to 76 %).",
        "  Training loss fell for both clients, least for right (−50 %).",
        "  note: An update of late refused (round 1): NaN in head.bias",
        "page: outputs/small/report.html",
    ]
    assert (folder / "report.html").is_file()


def test_figures_as_json(zk0: Zk0, write_run: WriteRun, tmp_path: Path) -> None:
    folder = write_run()
    output = tmp_path / "pages" / "one.html"
    shown = zk0("report", str(folder), "--output", str(output), "--json")
    figures = json.loads(shown.out)
    assert figures["page"] == str(output) and output.is_file()
    assert not (folder / "report.html").exists()
    assert figures["verdict"]["tone"] == "better"
    assert figures["success"]["after"]["value"] == 0.7
    assert [row["client"] for row in figures["clients"]] == ["left", "right", "late"]
    assert figures["charts"][0]["series"][0]["points"] == [[0, 2.0], [1, 1.0], [2, 0.5]]


def test_wrong_lines(zk0: Zk0, write_run: WriteRun, tmp_path: Path) -> None:
    shown = zk0("report", "nowhere")
    assert (shown.status, shown.error) == (
        2,
        "Error: nowhere is not the folder of a run: there is no such folder; name one such as "
        "outputs/demo\n",
    )
    shown = zk0("report", str(write_run()), "--output", str(tmp_path))
    assert (shown.status, shown.error) == (
        2,
        f"Error: --output {tmp_path} is a folder; name a file, such as {tmp_path}/report.html\n",
    )


def test_a_run_writes_its_page_at_the_end(zk0: Zk0, write_run: WriteRun, tmp_path: Path) -> None:
    """What the reporter writes from memory is what the command writes from the folder."""
    folder, read = write_run(films=True), tmp_path / "read.html"
    reporter = build_reporter(PluginChoice("reporter", "report"))
    reporter.start(plan(), folder)
    for record in history().rounds:
        reporter.round(record, history())
    assert not (folder / "report.html").exists()
    reporter.finish(history())
    assert zk0("report", str(folder), "--output", str(read)).status == 0
    assert (folder / "report.html").read_text() == read.read_text()


def test_every_run_has_the_reporter_unless_it_chooses_others() -> None:
    chosen = resolve_plan(preset_settings(), Registry.discover()).reporters
    assert "report" in [choice.name for choice in chosen]


def test_neither_torch_nor_lerobot_is_imported(write_run: WriteRun) -> None:
    program = (
        "import sys; from zk0_cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as end: assert not end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program, "report", str(write_run(films=True))],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[-1]
    assert not {"torch", "lerobot", "flwr", "mujoco", "transformers"} & set(shown.split())
