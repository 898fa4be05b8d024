"""Where videos go, and what is drawn on them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zk0_core.plan import EvaluationPlan, PluginChoice
from zk0_core.protocols import EvaluationRequest
from zk0_core.testing import examples
from zk0_core.video.choosing import folder_name, video_folder
from zk0_core.video.marks import BAD, EXECUTED, GOOD, PREDICTED, with_outcome, with_paths
from zk0_core.video.strips import CELL, GROUND, LEGEND, strips
from zk0_core.video.writing import side_by_side, write_video

GREY = np.full((80, 120, 3), 128, np.uint8)


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("sim:lift?region=all&episodes=60", "lift-all"),
        ("sim:lift?region=left", "lift-left"),
        ("local:/data/my desk?eval_episodes=5", "my-desk"),
        ("hf:lerobot/svla_so101_pickplace@v1.0", "svla_so101_pickplace"),
        ("local:/data/a + local:/data/b", "a-and-1-more"),
        ("local:/", "dataset"),
    ],
)
def test_a_folder_is_called_after_its_dataset(dataset: str, name: str) -> None:
    assert folder_name(dataset) == name


def test_datasets_of_one_name_get_numbers() -> None:
    datasets = ("local:/a/desk", "local:/b/desk", "local:/c/shelf")
    plans = [
        EvaluationPlan(d, PluginChoice("evaluator", name))
        for d in datasets
        for name in ("policy-loss", "dataset-replay")
    ]

    def folder(dataset: str) -> str:
        fields: dict[str, Any] = dict.fromkeys(("model", "pool"))
        request = EvaluationRequest(
            plan=examples.plan(evaluations=tuple(plans)),
            round=1,
            dataset=dataset,
            folder=Path("round_1"),
            final=False,
            **fields,
        )
        return video_folder(request, "dataset-replay").as_posix()

    assert [folder(d) for d in datasets] == ["round_1/desk", "round_1/desk-2", "round_1/shelf"]


def test_a_path_is_drawn_over_the_picture_and_the_last_on_top() -> None:
    across, down = [(10.0, 40.0), (110.0, 40.0)], [(60.0, 5.0), (60.0, 75.0)]
    drawn = with_paths(GREY, [(EXECUTED, across), (PREDICTED, down), (EXECUTED, [(1.0, 1.0)])])
    assert tuple(drawn[40, 20]) == EXECUTED
    assert tuple(drawn[10, 60]) == tuple(drawn[40, 60]) == PREDICTED
    assert tuple(drawn[70, 10]) == tuple(drawn[1, 1]) == (128, 128, 128)


def test_the_outcome_is_a_colour_and_words() -> None:
    good, bad = (with_outcome(GREY, success, "it is over") for success in (True, False))
    for picture, colour in ((good, GOOD), (bad, BAD)):
        assert tuple(picture[0, 0]) == tuple(picture[-1, -1]) == colour
        # Letters, white on the colour, which nothing else is.
        assert (picture == 255).all(axis=2).any()


def test_curves_have_a_line_that_goes_with_time() -> None:
    predicted = np.zeros((5, 7), np.float32)
    drawn = strips([f"joint_{n}.pos" for n in range(7)], predicted, predicted + 1, "executed", 620)
    first, last = drawn.at(0), drawn.at(4)
    # Seven joints stand in two rows of six columns.
    assert first.shape == (LEGEND + 2 * CELL, 620, 3)
    assert tuple(first[-2, 4]) == (255, 255, 255) and tuple(last[-2, 4]) != (255, 255, 255)
    assert tuple(last[-2, 4 + 103 - 9]) == (255, 255, 255)
    # The higher curve is what was executed.
    column = last[LEGEND : LEGEND + CELL, 50]
    blue, orange = ((column == colour).all(axis=1).argmax() for colour in (EXECUTED, PREDICTED))
    assert 0 < blue < orange
    assert tuple(last[-1, 300]) == GROUND


def test_pictures_of_several_sizes_stand_in_one_row() -> None:
    row = side_by_side([np.zeros((48, 64, 3), np.uint8), np.zeros((30, 31, 3), np.uint8)], 240)
    assert row.shape == (240, 320 + 248, 3)


def test_a_video_is_written_as_browsers_play_it(tmp_path: Path) -> None:
    import av

    write_video(tmp_path / "a.mp4", (np.full_like(GREY, 20 * n) for n in range(5)), 10)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.average_rate, len(list(container.decode(stream)))) == (10, 5)
