"""Models are published on a server of this machine that speaks the Hub's API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.command import Zk0
from tests.hub.server import TOKEN, Hub, hub
from tests.run_folders import WriteRun, history, plan
from zk0_core.errors import UsageError
from zk0_core.files import write_json
from zk0_core.history import History
from zk0_core.parts import build_reporter
from zk0_core.plan import ClientPlan, PluginChoice, RunPlan

WEIGHTS = bytes(range(256)) * 40
SCHEMA = {
    "cameras": {"observation.images.top": [96, 128, 3]},
    "state": ["shoulder_pan.pos", "gripper.pos"],
    "action": ["shoulder_pan.pos", "gripper.pos"],
    "fps": 10,
    "tasks": ["Pick up the red|blue cube"],
    "robot": "so101_follower",
}


def write_model(run: Path, name: str) -> None:
    """Write a model as a run saves it: three files, zk0's own and a folder beside them."""
    model = run / "models" / name
    write_json(model / "config.json", {"type": "smolvla", "vlm_model_name": str(model / "vlm")})
    steps = [{"tokenizer_name": str(model / "vlm"), "pretrained_path": "/home/ann/base"}]
    write_json(model / "policy_preprocessor.json", {"steps": steps})
    write_json(model / "zk0.json", {"schema": SCHEMA})
    write_json(model / "vlm" / "config.json", {"hidden_size": 64})
    (model / "model.safetensors").write_bytes(WEIGHTS + name.encode())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The only Hub that this process knows; HF_TOKEN opens it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    # Large files go by plain HTTP: the chunked protocol needs a second service.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    with hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running


@pytest.fixture
def run(write_run: WriteRun) -> Path:
    folder = write_run(planned=plan(clients=OWN))
    for name in ("round_1", "final"):
        write_model(folder, name)
    return folder


OWN = (ClientPlan("left", "local:/home/ann/desk"), ClientPlan("right", "hf:ann/kitchen?a=1"))


def test_a_model_is_published_private_and_whole(zk0: Zk0, server: Hub, run: Path) -> None:
    shown = zk0("push", str(run), "ann/lift")
    assert (shown.status, shown.error) == (0, "")
    assert shown.out == (
        f"published the model after round 2: {server.endpoint}/ann/lift (private)\n"
    )
    repository = server.repositories["ann/lift"]
    assert repository.private
    assert repository.messages == ["zk0: after round 2"]
    assert repository.tags == {}
    assert sorted(repository.files) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "policy_preprocessor.json",
        "vlm/config.json",
        "zk0.json",
    ]
    assert repository.files["model.safetensors"] == WEIGHTS + b"final"


def test_no_path_of_this_machine_is_published(zk0: Zk0, server: Hub, run: Path) -> None:
    assert zk0("push", str(run), "ann/lift").status == 0
    files = server.repositories["ann/lift"].files
    assert json.loads(files["config.json"]) == {"type": "smolvla", "vlm_model_name": "vlm"}
    (step,) = json.loads(files["policy_preprocessor.json"])["steps"]
    assert step == {"tokenizer_name": "vlm", "pretrained_path": None}
    for content in files.values():
        assert str(run).encode() not in content and b"/home/ann" not in content


def test_the_card_says_what_was_recorded(zk0: Zk0, server: Hub, run: Path) -> None:
    assert zk0("push", str(run), "ann/lift").status == 0
    card = server.repositories["ann/lift"].files["README.md"].decode()
    for line in (
        "library_name: lerobot",
        "# lift",
        "A robot policy (smolvla-tiny) for so101_follower, trained federatedly with zk0 by 2 "
        "clients: each trained on recordings of its own, which stayed where they were made, "
        "and sent what changed in the weights.",
        "| cameras | `observation.images.top` (96 × 128) |",
        "| action | `shoulder_pan.pos`, `gripper.pos`, 10 a second |",
        "| instructions | Pick up the red\\|blue cube |",
        "| rounds | 2 of 2 |",
        "| strategy | fedprox (mu 0.01) |",
        "| frames of each client | 100 |",
        "| updates refused, rounds that did not count | 1, 0 |",
        "| `sim:lift?region=all` | success | 0 % (0 to 16 %) | 70 % (48 to 85 %) |",
        "| `sim:lift?region=all&split=eval` | policy loss | 2.00 | 0.500 |",
        "$ hf download ann/lift --local-dir model",
    ):
        assert line in card.splitlines(), line
    # Nobody said that clients and their datasets may be named.
    assert "The owners of the clients' datasets were not asked" in card
    assert "desk" not in card and "kitchen" not in card and "left" not in card


def test_with_consent_the_card_names_datasets(zk0: Zk0, server: Hub, write_run: WriteRun) -> None:
    datasets = {client.name: client.dataset for client in OWN}
    rounds = [
        attrs.evolve(
            record,
            clients=[attrs.evolve(c, dataset=datasets[c.client]) for c in record.clients],
        )
        for record in history().rounds
    ]
    folder = write_run(History(tuple(rounds)), plan(clients=OWN, name_datasets=True))
    write_model(folder, "final")
    assert zk0("push", str(folder), "ann/lift").status == 0
    card = server.repositories["ann/lift"].files["README.md"].decode()
    assert 'datasets: ["ann/kitchen"]' in card.splitlines()
    assert "| right | `hf:ann/kitchen?a=1` | 100 |" in card.splitlines()
    assert "were not asked" not in card


@pytest.mark.parametrize("folder", [False, True])
def test_a_base_is_named_if_it_is_on_the_hub(
    zk0: Zk0, server: Hub, write_run: WriteRun, tmp_path: Path, folder: bool
) -> None:
    """A folder of this machine, in `tmp_path` where we are, may be written as one of its names."""
    if folder:
        (tmp_path / "ann" / "base").mkdir(parents=True)
    policy = PluginChoice("policy", "lerobot", {"path": "ann/base"})
    written = write_run(planned=plan(policy=policy))
    write_model(written, "final")
    assert zk0("push", str(written), "ann/lift").status == 0
    card = server.repositories["ann/lift"].files["README.md"].decode()
    assert ('base_model: "ann/base"' in card.splitlines()) != folder


def test_datasets_of_the_hub_are_named_once_and_without_revision(
    zk0: Zk0, server: Hub, write_run: WriteRun
) -> None:
    addresses = "hf:ann/kitchen@v2?partition=0/2 + hf:ann/desk", "hf:ann/kitchen?partition=1/2"
    clients = tuple(ClientPlan(str(number), each) for number, each in enumerate(addresses))
    folder = write_run(planned=plan(clients=clients, name_datasets=True))
    write_model(folder, "final")
    assert zk0("push", str(folder), "ann/lift").status == 0
    card = server.repositories["ann/lift"].files["README.md"].decode()
    assert 'datasets: ["ann/kitchen", "ann/desk"]' in card.splitlines()


def test_recordings_that_are_joined_to_simulated_ones_are_not_named(
    zk0: Zk0, server: Hub, write_run: WriteRun
) -> None:
    joined = "sim:lift?split=eval + local:/home/ann/desk?eval_episodes=5"
    figures = ({"name": "sim:lift?split=eval", "policy_loss": 0.5}, {"name": joined})
    rounds = [
        attrs.evolve(record, datasets=[{**each, "policy_loss": 0.5} for each in figures])
        for record in history().rounds
    ]
    folder = write_run(History(tuple(rounds)), plan(clients=OWN))
    write_model(folder, "final")
    assert zk0("push", str(folder), "ann/lift").status == 0
    card = server.repositories["ann/lift"].files["README.md"].decode()
    assert "| `sim:lift?split=eval` | policy loss |" in card
    assert "| recordings that are not named | policy loss |" in card
    assert "desk" not in card


def test_a_round_is_published_with_the_card_of_that_round(zk0: Zk0, server: Hub, run: Path) -> None:
    shown = zk0("push", str(run), "ann/lift", "--round", "1", "--tag", "--public", "--json")
    assert json.loads(shown.out) == {
        "repository": "ann/lift",
        "url": f"{server.endpoint}/ann/lift",
        "round": 1,
        "private": False,
        "tag": "round-1",
    }
    repository = server.repositories["ann/lift"]
    assert repository.tags == {"round-1": 1}
    card = repository.files["README.md"].decode()
    assert "| rounds | 1 of 2 |" in card
    assert "| `sim:lift?region=all` | success | 0 % (0 to 16 %) | 5 % (1 to 24 %) |" in card


NO_NAME = "is no name of a repository; write owner/name, such as ann/lift-cube"


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (
            "nobody",
            2,
            f"'nobody' {NO_NAME}",
        ),
        ("a//b", 2, f"'a//b' {NO_NAME}"),
        (
            "bob/lift",
            2,
            "the Hub does not let this HF_TOKEN write to bob/lift (status 403); use one with write "
            "access to it, or choose another owner/name",
        ),
        ("ann/lift --round 2", 2, "run {run} saved no model after round 2; choose --round among 1"),
    ],
)
def test_what_cannot_be_published(
    zk0: Zk0, server: Hub, run: Path, arguments: str, status: int, error: str
) -> None:
    shown = zk0("push", str(run), *arguments.split())
    assert (shown.status, shown.error) == (status, f"Error: {error.format(run=run)}\n")
    assert server.repositories == {}


def test_an_unfinished_run_says_what_there_is(zk0: Zk0, server: Hub, write_run: WriteRun) -> None:
    folder = write_run()
    write_model(folder, "round_1")
    shown = zk0("push", str(folder), "ann/lift")
    assert shown.error == (
        f"Error: run {folder} has no final model; finish it with zk0 resume, or choose --round "
        "among those that are saved: 1\n"
    )


def test_a_public_repository_is_not_pushed_to_by_accident(zk0: Zk0, server: Hub, run: Path) -> None:
    assert zk0("push", str(run), "ann/lift", "--public").status == 0
    shown = zk0("push", str(run), "ann/lift")
    assert (shown.status, shown.error) == (
        2,
        "Error: ann/lift is public; add --public to publish there, or choose another name\n",
    )
    assert len(server.repositories["ann/lift"].messages) == 1


def test_without_a_token_it_says_where_to_get_one(
    zk0: Zk0, server: Hub, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(run / "none"))
    shown = zk0("push", str(run), "ann/lift")
    assert (shown.status, shown.error) == (
        2,
        "Error: no HF_TOKEN to publish with; make one with write access at "
        "https://huggingface.co/settings/tokens and set it in the environment or in .env\n",
    )
    Path(".env").write_text(f"HF_TOKEN={TOKEN}\n")
    assert zk0("push", str(run), "ann/lift").status == 0


def test_a_hub_that_fails_or_is_not_there(
    zk0: Zk0, server: Hub, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.failing = 418
    shown = zk0("push", str(run), "ann/lift")
    assert (shown.status, shown.error) == (
        1,
        "Error: ann/lift: the Hub answered with status 418; try again later\n",
    )
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    shown = zk0("push", str(run), "ann/lift")
    assert (shown.status, shown.error) == (
        1,
        "Error: ann/lift: the Hub cannot be reached (ConnectError); try again later\n",
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    shown = zk0("push", str(run), "ann/lift")
    assert (shown.status, shown.error) == (
        2,
        "Error: HF_HUB_OFFLINE is set, so nothing can be published; unset it and try again\n",
    )


def reported(folder: Path, planned: RunPlan, **options: Any) -> None:
    """Tell the reporter of a run of four rounds."""
    reporter = build_reporter(PluginChoice("reporter", "hub", options))
    reporter.start(planned, folder)
    rounds = history().rounds
    rounds = (*rounds, *(attrs.evolve(rounds[-1], round=n) for n in (3, 4)))
    for record in rounds:
        write_model(folder, f"round_{record.round}")
        reporter.round(record, History(rounds[: record.round + 1]))
    write_model(folder, "final")
    reporter.finish(History(rounds))


@pytest.mark.parametrize(
    ("after", "messages"),
    [
        (0, ["zk0: after round 4"]),
        (1, [f"zk0: after round {n}" for n in (1, 2, 3, 4)]),
        (2, ["zk0: after round 2", "zk0: after round 4"]),
        (3, ["zk0: after round 3", "zk0: after round 4"]),
        (9, []),
    ],
)
def test_a_run_publishes_never_before_so_many_rounds(
    server: Hub, tmp_path: Path, after: int, messages: list[str]
) -> None:
    reported(tmp_path / "run", plan(rounds=4), repository="ann/lift", after=after, tags=True)
    found = server.repositories.get("ann/lift")
    assert (found.messages if found else []) == messages
    tags = {text.replace("zk0: after round ", "round-") for text in messages}
    assert set(found.tags if found else ()) == tags


def test_a_run_goes_on_when_the_hub_does_not(
    server: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from zk0_core.logs import log_server

    log_server(tmp_path / "logs")
    server.failing = 418
    reported(tmp_path / "run", plan(rounds=4), repository="ann/lift", after=2)
    assert capsys.readouterr().err.splitlines() == [
        "warning: not published: ann/lift: the Hub answered with status 418; try again later",
        "warning: not published: ann/lift: the Hub answered with status 418; try again later",
        f"warning: not published: round 2, the final model; try again with zk0 push "
        f"{tmp_path / 'run'} ann/lift",
    ]
    assert TOKEN not in (tmp_path / "logs" / "server.log").read_text()


def test_rounds_that_are_not_saved_cannot_be_published(tmp_path: Path) -> None:
    reporter = build_reporter(PluginChoice("reporter", "hub", {"repository": "a/b", "after": 3}))
    for every, saved in ((2, "every 2"), (0, "at the end only")):
        with pytest.raises(UsageError) as failed:
            reporter.start(plan(checkpoint_every=every), tmp_path)
        assert str(failed.value) == (
            f"reporter 'hub' is to publish every 3 rounds, but models are saved {saved}; set "
            "checkpoint_every to a number that divides 3, or --push-after to 0"
        )


# With these, no policy family is asked for its defaults, which imports torch.
GIVEN = ("run", "--lr", "0.001", "--batch-size", "8", "--dry-run", "--json")


def test_flags_add_to_the_reporters(zk0: Zk0) -> None:
    shown = zk0(*GIVEN, "--push-to", "ann/lift", "--push-after", "20")
    reporters = {entry["name"]: entry["options"] for entry in json.loads(shown.out)["reporters"]}
    assert list(reporters) == ["console", "charts", "report", "hub"]
    assert reporters["hub"] == {
        "repository": "ann/lift",
        "after": 20,
        "public": False,
        "tags": False,
    }
    shown = zk0(*GIVEN, "--push-to", "ann/lift", "--reporter", "jsonl")
    names = [entry["name"] for entry in json.loads(shown.out)["reporters"]]
    assert names == ["jsonl", "hub"]


def test_wrong_flags_name_what_is_missing(zk0: Zk0) -> None:
    shown = zk0(*GIVEN, "--push-after", "20")
    assert (shown.status, shown.error) == (
        2,
        "Error: --push-after needs to know where to; add --push-to OWNER/NAME\n",
    )
    shown = zk0(*GIVEN, "--push-to", "lift")
    assert (shown.status, shown.error) == (
        2,
        "Error: reporter.hub.repository must be owner/name, got 'lift' (from --push-to)\n",
    )
