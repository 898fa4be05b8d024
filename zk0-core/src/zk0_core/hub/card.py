"""The model card: what was recorded of a run, and nothing else.

Datasets are other people's. Unless the run file says `name_datasets = true`, none is named, nor is
any client; those of the simulator are nobody's, and always named.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zk0_core.addresses import Address, split_joined
from zk0_core.report import rates
from zk0_core.report.figures import Figures, figures_of
from zk0_core.report.formats import number, percent, percents
from zk0_core.report.reading import Run

UNNAMED = "recordings that are not named"
SIMULATED, HUB = "sim", "hf"
"""Schemes of datasets that are nobody's, and of those that the Hub has."""
USE = """```python
from lerobot.configs.policies import PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors

config = PreTrainedConfig.from_pretrained("model")
policy = get_policy_class(config.type).from_pretrained("model")
preprocessor, postprocessor = make_pre_post_processors(config, pretrained_path="model")
```"""
"""How LeRobot opens what was downloaded."""
REPAIR = (
    r'sed -i.old "s|\"vlm\"|\"$PWD/model/vlm\"|" model/config.json model/policy_preprocessor.json'
)
"""LeRobot's format has no name for a folder beside its files but an absolute path."""


def model_card(run: Run, model: Path, repository: str) -> str:
    """Return the card, Markdown under YAML, of the model in folder `model`.

    Args:
        run: The run up to the round after which the model was saved.
        model: LeRobot's files, and zk0's beside them.
        repository: Where it is published, `owner/name`.
    """
    facts = json.loads((model / "zk0.json").read_text(encoding="utf-8"))
    figures = figures_of(run)
    parts = (
        _front(run),
        [f"# {repository.rpartition('/')[2]}", ""],
        _summary(run, facts),
        _body("What it takes and gives", _interface(facts["schema"])),
        _body("How it was trained", _training(run, figures)),
        _body("How good it is", _results(run, figures)),
        _body("How to use it", _use(repository, facts, (model / "vlm").is_dir())),
    )
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _front(run: Run) -> Iterator[str]:
    """Yield the YAML that the Hub reads."""
    yield "---"
    yield "library_name: lerobot"
    yield "pipeline_tag: robotics"
    yield f"tags: {json.dumps(['robotics', 'lerobot', 'federated-learning', 'zk0'])}"
    base = run.plan["policy"].get("options", {}).get("path", "")
    if _is_hub_name(base):
        yield f"base_model: {json.dumps(base.partition('@')[0])}"
    places = [address.place for address in _named(run) if address.scheme == HUB]
    if names := list(dict.fromkeys(place.partition("@")[0] for place in places)):
        yield f"datasets: {json.dumps(names)}"
    yield "---"
    yield ""


def _summary(run: Run, facts: Mapping[str, Any]) -> Iterator[str]:
    robot = facts["schema"]["robot"]
    count = len(run.plan["clients"])
    clients = "1 client" if count == 1 else f"{count} clients"
    yield (
        f"A robot policy ({run.plan['policy']['name']}) for {robot}, trained federatedly with zk0 "
        f"by {clients}: each trained on recordings of its own, which stayed where they were made, "
        "and sent what changed in the weights."
    )
    yield ""


def _body(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield from lines
    yield ""


def _interface(schema: Mapping[str, Any]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    cameras = ", ".join(
        f"`{name}` ({height} × {width})" for name, (height, width, _) in schema["cameras"].items()
    )
    yield f"| cameras | {cameras} |"
    yield f"| state | {_codes(schema['state'])} |"
    yield f"| action | {_codes(schema['action'])}, {schema['fps']} a second |"
    yield f"| instructions | {'; '.join(map(_plain, schema['tasks']))} |"


def _training(run: Run, figures: Figures) -> Iterator[str]:
    plan = run.plan
    yield "| | |"
    yield "|---|---|"
    yield f"| rounds | {run.done} of {run.rounds} |"
    yield f"| strategy | {_plugin(plan['strategy'])} |"
    for key, title in (("schedulers", "learning rate"), ("mu_schedulers", "proximal weight")):
        if chain := plan.get(key):
            yield f"| {title} | {', then '.join(map(_plugin, chain))} |"
    yield f"| base learning rate | {plan['lr']:g} |"
    length = (
        ("epochs", plan["local_epochs"])
        if plan.get("local_epochs")
        else ("steps", plan["local_steps"])
    )
    yield f"| local {length[0]} a round | {length[1]:g}, batches of {plan['batch_size']} |"
    yield f"| seed | {plan['seed']} |"
    frames = [row.examples for row in figures.clients if row.examples is not None]
    if frames:
        each = number(frames[0]) if min(frames) == max(frames) else _span(frames)
        yield f"| frames of each client | {each} |"
    refused = sum(row.refused for row in figures.clients)
    lost = sum(not record.counted for record in run.history.rounds)
    if refused or lost:
        yield f"| updates refused, rounds that did not count | {refused}, {lost} |"
    yield f"| versions | {_versions(plan)} |"
    yield ""
    if not plan.get("name_datasets"):
        yield "The owners of the clients' datasets were not asked whether they may be named."
        return
    yield "| client | dataset | frames |"
    yield "|---|---|---|"
    for row in figures.clients:
        yield f"| {_plain(row.client)} | `{row.dataset}` | {number(row.examples)} |"


def _results(run: Run, figures: Figures) -> Iterator[str]:
    scored = [record for record in run.history.rounds if record.datasets]
    if not scored:
        yield "It was not evaluated."
        return
    first, last = scored[0], scored[-1]
    before = {entry["name"]: entry for entry in first.datasets} if first is not last else {}
    yield f"| tried on | figure | round {first.round} | round {last.round} |"
    yield "|---|---|---|---|"
    for entry in last.datasets:
        old = before.get(entry["name"], {})
        where = _shown(run, entry["name"])
        if rate := rates.of_dataset(entry):
            yield f"| {where} | success | {_rate(rates.of_dataset(old))} | {_rate(rate)} |"
        for key in ("policy_loss", "mean_absolute_error"):
            if key in entry:
                title = key.replace("_", " ")
                yield f"| {where} | {title} | {number(old.get(key))} | {number(entry[key])} |"
    yield ""
    yield (
        "In brackets: 95 % intervals over the starts that were tried. Another seed may train "
        "another policy. A loss on recordings does not show success."
    )


def _use(repository: str, facts: Mapping[str, Any], has_vlm: bool) -> Iterator[str]:
    yield "The files are in LeRobot's own format, with pre- and postprocessor."
    yield ""
    yield "```console"
    yield f"$ hf download {repository} --local-dir model"
    if has_vlm:
        yield f"$ {REPAIR}"
    yield "```"
    yield ""
    yield from USE.splitlines()


def _named(run: Run) -> list[Address]:
    """Return the addresses of clients' datasets that may be named."""
    if not run.plan.get("name_datasets"):
        return []
    parts = [part for each in run.plan["clients"] for part in split_joined(each["dataset"])]
    return [Address.parse(part) for part in parts]


def _shown(run: Run, uri: str) -> str:
    """Return what an evaluation dataset is called in the card."""
    nobodys = all(Address.parse(part).scheme == SIMULATED for part in split_joined(uri))
    return f"`{uri}`" if nobodys or run.plan.get("name_datasets") else UNNAMED


def _rate(rate: rates.Rate | None) -> str:
    return "–" if rate is None else f"{percent(rate.value)} ({percents(rate.interval)})"


def _plugin(choice: Mapping[str, Any]) -> str:
    given = choice.get("options", {}).items()
    options = ", ".join(f"{key} {value}" for key, value in given if value not in ("", []))
    return f"{choice['name']} ({options})" if options else str(choice["name"])


def _versions(plan: Mapping[str, Any]) -> str:
    choices = [plan["policy"], plan["strategy"], plan["codec"], *plan.get("schedulers", ())]
    found = {f"{c['distribution']} {c['version']}" for c in choices if c.get("distribution")}
    return ", ".join(sorted(found)) or "–"


def _codes(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _span(frames: list[int]) -> str:
    return f"{number(min(frames))} to {number(max(frames))}"


def _plain(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, in one cell of a table."""
    for mark in "\\`*_[]<>|#":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def _is_hub_name(path: str) -> bool:
    import re

    # A folder of this machine may look like one, and is what the policy was loaded from.
    named = re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w.-]+)?", path)
    return bool(named) and not Path(path).exists()
