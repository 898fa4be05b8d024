"""Reporters that tell other programs: names, resuming, secrets."""

import builtins
import json
import logging
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.command import Zk0
from zk0_core.errors import PluginError, UsageError
from zk0_core.history import History, Refusal, RoundRecord
from zk0_core.metric_names import named_metrics
from zk0_core.parts import build_reporter
from zk0_core.plan import PluginChoice
from zk0_core.protocols import Reporter
from zk0_core.secrets import secret
from zk0_core.testing import examples

HISTORY = examples.history(4)
KEY = "0123456789abcdef0123456789abcdef01234567"


def built(name: str, **options: Any) -> Reporter:
    return build_reporter(PluginChoice("reporter", name, options))


def tell(reporter: Reporter, folder: Path, first: int, last: int) -> None:
    """Tell of the rounds `first` to `last`, as a process does that starts at `first`."""
    reporter.start(examples.plan(rounds=4), folder)
    for count in range(first + 1, last + 2):
        reporter.round(HISTORY.rounds[count - 1], History(HISTORY.rounds[:count]))


def test_names_are_those_of_every_service() -> None:
    """Two clients with loss 0.5 each: their mean is 0.5 and their deviation 0."""
    found = named_metrics(HISTORY.rounds[2])
    assert found["server/policy_loss"] == 0.5
    assert found["server/success_rate"] == 0.2
    assert (found["server/avg_client_loss"], found["server/std_client_loss"]) == (0.5, 0.0)
    assert (found["server/num_clients"], found["server/refused"]) == (2, 1)
    assert found["client/ann/policy_loss"] == 0.5
    assert found["client/bob/grad_norm"] == 2.0
    assert found["server/evaluation/sim:lift?region=left/success_rate"] == 0.2
    assert {name.split("/")[0] for name in found} == {"server", "client"}


def test_what_is_not_known_has_no_name() -> None:
    start = named_metrics(HISTORY.rounds[0])
    assert start["server/policy_loss"] == 1.0
    assert "server/lr" not in start and "server/avg_client_loss" not in start


def jsonl(folder: Path) -> list[tuple[int, float]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [(entry["round"], entry["server/seconds"]) for entry in map(json.loads, lines)]


def tensorboard(folder: Path) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard"))
    found.Reload()
    assert "client/ann/policy_loss" in found.Tags()["tensors"]
    return [
        (event.step, event.tensor_proto.float_val[0]) for event in found.Tensors("server/seconds")
    ]


def wandb(folder: Path) -> list[tuple[int, float]]:
    from wandb.proto import wandb_internal_pb2
    from wandb.sdk.internal.datastore import DataStore

    rows = []
    ids = set()
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        store = DataStore()
        store.open_for_scan(str(path))
        # wandb's own process may be in the middle of a record; of a broken one there is no more.
        with closing(store), suppress(AssertionError):
            while (data := store.scan_data()) is not None:
                record = wandb_internal_pb2.Record()
                record.ParseFromString(data)
                if record.HasField("run"):
                    ids.add(record.run.run_id)
                if record.HasField("history"):
                    items = record.history.item
                    row = {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items}
                    rows.append((row["round"], row["server/seconds"]))
    assert len(ids) == 1
    return rows


@pytest.mark.parametrize(
    ("name", "options", "read"),
    [
        ("jsonl", {}, jsonl),
        ("tensorboard", {}, tensorboard),
        ("wandb", {"mode": "offline"}, wandb),
    ],
    ids=["jsonl", "tensorboard", "wandb"],
)
def test_a_resumed_run_has_every_round_once(
    name: str,
    options: dict[str, str],
    read: Callable[[Path], list[tuple[int, float]]],
    tmp_path: Path,
) -> None:
    """The first process told of rounds 0 and 1, ended while round 2 was recorded, and is gone."""
    first, second = built(name, **options), built(name, **options)
    tell(first, tmp_path, 0, 1)
    first.finish(HISTORY)
    time.sleep(1.1)  # wandb names its folders by the second, and nobody resumes that soon
    tell(second, tmp_path, 3, 4)
    second.finish(HISTORY)
    expected = [(record.round, record.seconds) for record in HISTORY.rounds]
    deadline = time.monotonic() + 30  # wandb's own process closes its file a little later
    while (told := read(tmp_path)) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    assert told == expected


def test_lines_go_where_they_are_asked_to_go(tmp_path: Path) -> None:
    tell(built("jsonl", file=str(tmp_path / "elsewhere" / "a.jsonl")), tmp_path / "run", 0, 0)
    assert len((tmp_path / "elsewhere" / "a.jsonl").read_text().splitlines()) == 1


def test_no_file_and_no_line_has_the_key(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("HOME", str(tmp_path))
    caplog.set_level(logging.DEBUG)
    reporter = built("wandb", mode="offline")
    tell(reporter, tmp_path / "run", 0, 2)
    reporter.finish(HISTORY)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    # Nor has anything the addresses of clients' datasets.
    assert [path for path in files if b"region=ann" in path.read_bytes()] == []
    printed = capfd.readouterr()
    assert KEY not in printed.out + printed.err + caplog.text


def test_without_a_key_it_says_how_to_give_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UsageError,
        match=r"^reporter 'wandb' has no WANDB_API_KEY; set it in the environment or in \.env, or "
        r"add --reporter\.wandb\.mode offline$",
    ):
        built("wandb").start(examples.plan(), tmp_path)


def test_a_secret_comes_from_the_environment_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert secret("HF_TOKEN") is None
    (tmp_path / ".env").write_text("HF_TOKEN=of-the-file\nOTHER='with $HOME'\n")
    assert secret("HF_TOKEN") == "of-the-file"
    assert secret("OTHER") == "with $HOME"
    monkeypatch.setenv("HF_TOKEN", "of-the-environment")
    assert secret("HF_TOKEN") == "of-the-environment"
    monkeypatch.setenv("HF_TOKEN", "")
    assert secret("HF_TOKEN") is None


@pytest.mark.parametrize("name", ["wandb", "tensorboard"])
def test_what_is_not_installed_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refuse(module: str, *arguments: Any, **named: Any) -> Any:
        if module.partition(".")[0] == name:
            raise ImportError(module)
        return real(module, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with pytest.raises(PluginError) as failed:
        built(name).start(examples.plan(), tmp_path)
    assert str(failed.value) == (
        f"reporter '{name}' needs the package {name}; install it with "
        f"pip install 'zk0[{name}]', or choose another --reporter"
    )


def test_flags_choose_them(zk0: Zk0) -> None:
    names = ("console", "report", "tensorboard")
    chosen = [word for name in names for word in ("--reporter", name)]
    shown = zk0("run", *chosen, "--lr", "0.001", "--batch-size", "8", "--dry-run", "--json")
    assert [entry["name"] for entry in json.loads(shown.out)["reporters"]] == list(names)


@pytest.mark.parametrize(
    ("length", "said"),
    [({}, "rounds of 4 steps, "), ({"local_epochs": 0.5}, "rounds of 0.5 epochs, ")],
)
def test_the_console_says_how_long_clients_train(
    length: dict[str, float], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built("console").start(examples.plan(**length), tmp_path)
    assert said in capsys.readouterr().err


def test_the_console_counts_what_was_refused_apart_from_what_never_came(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad, gone = Refusal("ann", "NaN in head.bias"), Refusal("bob", "no answer", failed=True)
    rounds = (RoundRecord(round=1, refused=(bad, gone)), RoundRecord(round=2, refused=(gone,)))
    built("console").finish(History(rounds))
    assert capsys.readouterr().err == (
        "1 update was refused, from ann; see history.jsonl\n"
        "2 updates were not sent, from bob; see history.jsonl\n"
    )
