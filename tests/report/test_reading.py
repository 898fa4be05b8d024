"""Reading a run's folder, and saying what is wrong with one that isn't."""

from pathlib import Path

import pytest

from tests.run_folders import WriteRun, history
from zk0_core.errors import DataError, UsageError, Zk0Error
from zk0_core.report.reading import read_run


def test_the_history_comes_back_as_it_was(write_run: WriteRun) -> None:
    run = read_run(write_run())
    assert len(run.history.rounds) == 3
    for read, made in zip(run.history.rounds, history().rounds, strict=True):
        assert tuple(read.clients) == tuple(made.clients)
        assert tuple(read.datasets) == tuple(made.datasets)
        assert tuple(read.refused) == tuple(made.refused)
        assert (read.round, read.policy_loss) == (made.round, made.policy_loss)
    assert run.damage == ()


def test_a_line_that_is_cut_off_is_left_out_and_said(write_run: WriteRun) -> None:
    folder = write_run()
    path = folder / "history.jsonl"
    path.write_text(path.read_text()[:-20])
    run = read_run(folder)
    assert run.done == 1
    assert run.damage == ("The last line of history.jsonl is cut off; it is left out here.",)


def spoilt(folder: Path, name: str, text: str | None) -> Path:
    path = folder / name
    path.unlink() if text is None else path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("name", "text", "kind", "message"),
    [
        (
            "plan.toml",
            None,
            UsageError,
            "{run} is not the folder of a run: it has no plan.toml; name one such as outputs/demo",
        ),
        (
            "history.jsonl",
            None,
            UsageError,
            "run {run} has no history.jsonl: no round is over yet, not even the evaluation of the "
            "start; wait for the first line on the console, or look into logs/server.log",
        ),
        (
            "plan.toml",
            "rounds = ",
            DataError,
            "{run}/plan.toml cannot be read: Invalid value (at end of document); "
            "restore it from a copy",
        ),
        (
            "plan.toml",
            "seed = 1",
            DataError,
            "{run}/plan.toml is not the plan of a run: it has no number of rounds",
        ),
        (
            "history.jsonl",
            "nothing\n",
            DataError,
            "line 1 of {run}/history.jsonl is not a round of this version of zk0 (JSONDecodeError: "
            "Expecting value: line 1 column 1 (char 0)); read the run with the version that its "
            "plan.toml names",
        ),
        (
            "history.jsonl",
            '{"refused": [], "datasets": []}\n',
            DataError,
            "line 1 of {run}/history.jsonl is not a round of this version of zk0 (ValueError: "
            "required field missing @ $.round); read the run with the version that its plan.toml "
            "names",
        ),
    ],
)
def test_what_is_wrong_is_said(
    write_run: WriteRun, name: str, text: str | None, kind: type[Zk0Error], message: str
) -> None:
    folder = spoilt(write_run(), name, text)
    with pytest.raises(kind) as refused:
        read_run(folder)
    assert str(refused.value) == message.format(run=folder)


def test_the_folder_of_runs_leads_to_the_newest(write_run: WriteRun) -> None:
    folder = write_run()
    with pytest.raises(UsageError) as refused:
        read_run(folder.parent)
    assert str(refused.value) == (
        f"{folder.parent} is not the folder of a run: it has no plan.toml; did you mean {folder}?"
    )
