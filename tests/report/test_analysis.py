"""`evaluate/video_analysis.json`: means by round, and the videos that there are."""

from pathlib import Path

from tests.run_folders import WriteRun, write_film
from zk0_core.files import write_json
from zk0_core.report.analysis import video_analysis


def test_means_are_over_all_rollouts(write_run: WriteRun) -> None:
    """Of four rollouts in round 2 one succeeds; they take (2 + 3 + 8 + 8) / 4 = 5.25 s."""
    run = write_run(films=True)
    starts = [
        {"success": seconds == 2, "seconds": seconds, "smoothness": 10.0}
        for seconds in (2.0, 3.0, 8.0, 8.0)
    ]
    write_json(run / "evaluate/round_2/lift-all/rollouts.json", {"starts": starts})
    first, _, last = video_analysis(run, 2)
    assert {name: last[name] for name in last if name != "videos"} == {
        "round": 2,
        "rollouts": 4,
        "success_rate": 0.25,
        "seconds": 5.25,
        "smoothness": 10.0,
        "mean_absolute_error": None,
    }
    assert last["videos"][1] == {
        "video": "evaluate/round_2/start_1.mp4",
        "region": "left",
        "success": True,
        "seconds": 4.0,
    }
    # Round 0 has videos alone: two, neither of which succeeded.
    assert (first["round"], first["rollouts"]) == (0, 0)
    assert (first["success_rate"], first["seconds"]) == (0.0, 4.0)


def test_rounds_to_come_are_left_out(write_run: WriteRun, tmp_path: Path) -> None:
    """A run that went back to its checkpoint has folders of rounds that are not over."""
    run = write_run(films=True)
    assert [entry["round"] for entry in video_analysis(run, 1)] == [0, 1]
    assert video_analysis(tmp_path, 5) == []


def test_replays_have_their_error(tmp_path: Path) -> None:
    for episode, error in ((0, 2.0), (1, 4.0)):
        path = tmp_path / f"evaluate/round_1/desk/episode_{episode}.mp4"
        write_film(path)
        write_json(path.with_suffix(".json"), {"mean_absolute_error": error, "seconds": 6.0})
    (entry,) = video_analysis(tmp_path, 1)
    assert (entry["mean_absolute_error"], entry["success_rate"]) == (3.0, None)
