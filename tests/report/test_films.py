"""Which videos a page shows."""

from pathlib import Path

import pytest

from tests.run_folders import WriteRun, write_film
from zk0_core.files import write_json
from zk0_core.report import films
from zk0_core.report.films import choose_films, spread


def chosen(folder: Path) -> dict[str, list[int]]:
    rows = choose_films(folder).starts()
    return {start: [film.round for film in shown] for start, shown in rows.items()}


def test_starts_stand_in_rows_and_rounds_side_by_side(write_run: WriteRun) -> None:
    folder = write_run(films=True)
    assert chosen(folder) == {"start_0": [0, 1, 2], "start_1": [0, 1, 2]}
    film = choose_films(folder).films[-1]
    assert film.outcome == "succeeded after 4.0 s"
    assert film.poster.startswith(b"\xff\xd8")


def test_a_run_without_films_has_none(tmp_path: Path) -> None:
    assert choose_films(tmp_path) == films.Reel()


def test_rounds_are_spread_evenly() -> None:
    assert spread(range(0, 101, 10), 6) == [0, 20, 40, 60, 80, 100]
    assert spread([0, 5, 9], 2) == [0, 9]
    assert spread([0, 5, 9], 1) == [9]


def test_starts_go_before_rounds_when_there_is_no_room(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(films=True)
    one = (folder / "evaluate/round_0/start_0.mp4").stat().st_size  # all are as large
    for room, shown in (
        (6, {"start_0": [0, 1, 2], "start_1": [0, 1, 2]}),
        (5, {"start_0": [0, 1, 2]}),
        (2, {"start_0": [0, 2]}),
        (1, {"start_0": [2]}),
        (0, {}),
    ):
        monkeypatch.setattr(films, "BYTES", room * one)
        assert chosen(folder) == shown
        assert choose_films(folder).found == 6


def test_starts_are_in_order_of_number_the_last_rounds_first(tmp_path: Path) -> None:
    for round, starts in ((0, (1, 2, 10)), (3, (2, 10))):
        for start in starts:
            write_film(tmp_path / f"evaluate/round_{round}/start_{start}.mp4", pictures=2)
    assert list(chosen(tmp_path)) == ["start_2", "start_10", "start_1"]


def test_what_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    write_film(tmp_path / "evaluate/round_0/start_0.mp4")
    (tmp_path / "evaluate/round_0/start_1.mp4").write_bytes(b"no film")
    reel = choose_films(tmp_path)
    assert [film.start for film in reel.films] == ["start_0"]
    assert reel.broken == ("evaluate/round_0/start_1.mp4",)


def test_a_replay_is_described_by_its_loss(tmp_path: Path) -> None:
    path = tmp_path / "evaluate/round_4/desk/episode_7.mp4"
    write_film(path)
    write_json(path.with_suffix(".json"), {"policy_loss": 0.1234})
    (film,) = choose_films(tmp_path).films
    assert (film.start, film.round, film.outcome) == ("desk/episode_7", 4, "policy loss 0.123")


def test_a_replay_with_errors_says_how_far_off(tmp_path: Path) -> None:
    path = tmp_path / "evaluate/round_4/desk/episode_7.mp4"
    write_film(path)
    write_json(path.with_suffix(".json"), {"mean_absolute_error": 6.1312, "policy_loss": 0.1})
    (film,) = choose_films(tmp_path).films
    assert film.outcome == "off by 6.13 in the mean"
