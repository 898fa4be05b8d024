"""From the flags of `zk0 run` to settings: the layer above preset and run file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from zk0_core.addresses import with_option
from zk0_core.errors import UsageError
from zk0_core.options import parse_flags
from zk0_core.preset import DEFAULT_PRESET, preset_settings
from zk0_core.resolve import DEFAULTS
from zk0_core.run_values import RunValues
from zk0_core.runfile import read_run_file
from zk0_core.settings import (
    Choice,
    ClientSetting,
    EvaluationSetting,
    Settings,
    merged,
    with_options_of,
)

DEFAULT_EVALUATOR = "policy-loss"
"""What scores the datasets of --eval when no --evaluator is given."""


@attrs.frozen(kw_only=True)
class RunFlags:
    """The flags of `zk0 run` that choose what is run; what isn't given is None or empty."""

    run_file: Path | None
    preset: str | None
    values: Mapping[str, str]
    """Field of RunValues to the text of its flag."""
    strategy: str | None
    policy: str | None
    codec: str | None
    schedulers: Sequence[str]
    mu_schedulers: Sequence[str]
    clients: Sequence[str]
    evals: Sequence[str]
    evaluators: Sequence[str]
    episodes_per_client: int | None
    reporters: Sequence[str] = ()
    push_to: str | None = None
    push_after: int | None = None


def run_settings(flags: RunFlags) -> Settings:
    """Return defaults, preset, run file and flags as one layer, each overruling those before.

    The preset counts when there is no run file, or when it is asked for.

    Raises:
        UsageError: if preset or run file cannot be read, or flags ask for what cannot be.
    """
    below = DEFAULTS
    if flags.run_file is None or flags.preset is not None:
        below = merged(below, preset_settings(flags.preset or DEFAULT_PRESET))
    if flags.run_file is not None:
        below = merged(below, read_run_file(flags.run_file))
    settings = attrs.evolve(merged(below, _layer(flags, below)), origin=below.origin)
    if flags.episodes_per_client is not None:
        settings = _with_episodes(settings, flags.episodes_per_client)
    return settings


def _layer(flags: RunFlags, below: Settings) -> Settings:
    return Settings(
        origin="flags",
        values=parse_flags(RunValues, flags.values),
        origins={name: f"--{name.replace('_', '-')}" for name in flags.values},
        strategy=_choice(flags.strategy, "--strategy"),
        policy=_choice(flags.policy, "--policy"),
        codec=_choice(flags.codec, "--codec"),
        schedulers=_choices(flags.schedulers, "--scheduler"),
        mu_schedulers=_choices(flags.mu_schedulers, "--mu-scheduler"),
        reporters=_reporters(flags, below),
        clients=tuple(ClientSetting(uri, origin="--client") for uri in flags.clients) or None,
        evaluations=_evaluations(flags, below),
    )


def _choice(name: str | None, origin: str) -> Choice | None:
    return None if name is None else Choice(name, origin=origin)


def _choices(names: Sequence[str], origin: str) -> tuple[Choice, ...] | None:
    return tuple(Choice(name, origin=origin) for name in names) or None


def _reporters(flags: RunFlags, below: Settings) -> tuple[Choice, ...] | None:
    """Return the reporters that flags ask for; --push-to adds one to whichever there are."""
    chosen = _choices(flags.reporters, "--reporter")
    if flags.push_to is None:
        if flags.push_after is not None:
            raise UsageError("--push-after needs to know where to; add --push-to OWNER/NAME")
        return chosen
    options: dict[str, Any] = {"repository": flags.push_to}
    if flags.push_after is not None:
        options["after"] = flags.push_after
    origins = {"repository": "--push-to", "after": "--push-after"}
    others = [choice for choice in chosen or below.reporters or () if choice.name != "hub"]
    return (*others, Choice("hub", options, "--push-to", origins))


def _evaluations(flags: RunFlags, below: Settings) -> tuple[EvaluationSetting, ...] | None:
    """Return the evaluations that flags ask for; None to keep those below.

    --eval replaces the datasets; each is scored by every --evaluator. An --evaluator without
    --eval keeps the evaluations that use it, or scores all datasets where none does.
    """
    old = below.evaluations or ()
    known = [entry.evaluator for entry in old]
    names = flags.evaluators or ([DEFAULT_EVALUATOR] if flags.evals else [])
    choices = [with_options_of(Choice(name, origin="--evaluator"), known) for name in names]
    if flags.evals:
        return tuple(
            EvaluationSetting(uri, choice, origin="--eval")
            for uri in flags.evals
            for choice in choices
        )
    if not choices:
        return () if _strangers_to_preset(flags) else None
    datasets = list(dict.fromkeys(entry.dataset for entry in old))
    if not datasets:
        raise UsageError("--evaluator needs a dataset to score on; add --eval URI")
    evaluations: list[EvaluationSetting] = []
    for choice in choices:
        kept = [entry.dataset for entry in old if entry.evaluator.name == choice.name]
        evaluations += [EvaluationSetting(uri, choice) for uri in kept or datasets]
    return tuple(evaluations)


def _strangers_to_preset(flags: RunFlags) -> bool:
    """Whether --client names datasets that the preset's simulated evaluations do not fit."""
    return flags.run_file is None and any(not uri.startswith("sim:") for uri in flags.clients)


def _with_episodes(settings: Settings, episodes: int) -> Settings:
    """Return `settings` with so many episodes for each simulated client."""
    if episodes < 1:
        raise UsageError(f"--episodes-per-client must be ≥ 1, got {episodes}")
    clients: list[Any] = []
    for client in settings.clients or ():
        if not client.dataset.startswith("sim:"):
            raise UsageError(
                f"--episodes-per-client is for sim: datasets, but a client has '{client.dataset}'"
            )
        dataset = with_option(client.dataset, "episodes", str(episodes))
        clients.append(attrs.evolve(client, dataset=dataset))
    return attrs.evolve(settings, clients=tuple(clients))
