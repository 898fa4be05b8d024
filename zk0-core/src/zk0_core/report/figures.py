"""The figures of a run's page: did it learn, whom did it help, how sure is that."""

from collections.abc import Mapping
from typing import Any

import attrs

from zk0_core.history import RoundRecord
from zk0_core.report import rates
from zk0_core.report.charts import Chart, charts_of
from zk0_core.report.rates import Change, Rate
from zk0_core.report.reading import Run
from zk0_core.report.trouble import troubles_of


@attrs.frozen
class Ends:
    """A figure where it was known first and where it was known last."""

    first: float
    last: float
    first_round: int
    last_round: int


@attrs.frozen
class ClientRow:
    """One client over the run."""

    client: str
    dataset: str
    rounds: int
    """In which its update was used."""
    examples: int | None
    """Frames it trains on."""
    loss: Ends | None
    """Policy loss during local training."""
    boost: float | None
    """Mean of its lr relative to the others'."""
    epsilon: float | None
    """What it had spent of its privacy with its last update; None where it adds no noise."""
    refused: int


@attrs.frozen
class Scores:
    """What was found on one evaluation dataset, round by round."""

    dataset: str
    names: tuple[str, ...]
    """Figures that are numbers, other than the success rate."""
    rows: tuple[tuple[int, Rate | None, tuple[float | None, ...]], ...]
    """Round, success rate, and the figures in order of `names`."""

    @property
    def has_success(self) -> bool:
        """Whether any round has a success rate."""
        return any(rate for _, rate, _ in self.rows)


@attrs.frozen(kw_only=True)
class Figures:
    """Everything that the page shows in numbers."""

    name: str
    rounds: int
    done: int
    clients: tuple[ClientRow, ...]
    success: Change | None
    """Success from the first evaluation to the last; None when never measured."""
    success_rounds: tuple[int, int] | None
    """Rounds of these two evaluations; equal when there is only one."""
    policy_loss: Ends | None
    """On held-out episodes."""
    client_loss: Ends | None
    """Mean over the round's clients, during local training."""
    parts: Mapping[str, tuple[Change, ...]]
    """Kind of part, such as "regions", to the change in each."""
    scores: tuple[Scores, ...]
    bytes_up: int
    bytes_down: int
    seconds: float
    troubles: tuple[str, ...]
    charts: tuple[Chart, ...]


def figures_of(run: Run) -> Figures:
    """Return the figures of `run`."""
    rounds = run.history.rounds
    tried = [record for record in rounds if rates.of_datasets(record.datasets)]
    return Figures(
        name=run.folder.absolute().name,
        rounds=run.rounds,
        done=run.done,
        clients=_clients(run),
        success=_success(tried),
        success_rounds=(tried[0].round, tried[-1].round) if tried else None,
        policy_loss=_span([(record.round, record.policy_loss) for record in rounds]),
        client_loss=_span([(r.round, r.mean_client("policy_loss")) for r in rounds]),
        parts=_parts(tried),
        scores=_scores(run),
        bytes_up=sum(record.bytes_up for record in rounds),
        bytes_down=sum(record.bytes_down for record in rounds),
        seconds=sum(record.seconds for record in rounds),
        troubles=tuple(troubles_of(run)),
        charts=tuple(charts_of(run)),
    )


def _success(tried: list[RoundRecord]) -> Change | None:
    if not tried:
        return None
    after = rates.of_datasets(tried[-1].datasets)
    assert after is not None
    return rates.change(
        "success", rates.of_datasets(tried[0].datasets) if tried[1:] else None, after
    )


def _parts(tried: list[RoundRecord]) -> dict[str, tuple[Change, ...]]:
    if not tried:
        return {}
    before = rates.parts_of(tried[0].datasets) if tried[1:] else {}
    return {
        kind: tuple(
            rates.change(name, before.get(kind, {}).get(name), after)
            for name, after in found.items()
        )
        for kind, found in rates.parts_of(tried[-1].datasets).items()
    }


def _span(points: list[tuple[int, float | None]]) -> Ends | None:
    known = [(round, value) for round, value in points if value is not None]
    if not known:
        return None
    return Ends(known[0][1], known[-1][1], known[0][0], known[-1][0])


def _clients(run: Run) -> tuple[ClientRow, ...]:
    datasets = {client["name"]: client["dataset"] for client in run.plan.get("clients", ())}
    for record in run.history.rounds:
        datasets.update({entry.client: entry.dataset for entry in record.clients})
        for refusal in record.refused:
            datasets.setdefault(refusal.client, "")
    return tuple(_client(run, name, dataset) for name, dataset in datasets.items())


def _client(run: Run, name: str, dataset: str) -> ClientRow:
    entries = [
        (record, entry)
        for record in run.history.rounds
        for entry in record.clients
        if entry.client == name
    ]
    return ClientRow(
        client=name,
        dataset=dataset,
        rounds=sum(record.counted for record, _ in entries),
        examples=entries[-1][1].examples if entries else None,
        loss=_span([(record.round, entry.policy_loss) for record, entry in entries]),
        boost=sum(entry.boost for _, entry in entries) / len(entries) if entries else None,
        epsilon=entries[-1][1].epsilon if entries else None,
        refused=sum(r.client == name for record in run.history.rounds for r in record.refused),
    )


def _scores(run: Run) -> tuple[Scores, ...]:
    by_dataset: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for record in run.history.rounds:
        for figures in record.datasets:
            by_dataset.setdefault(figures["name"], []).append((record.round, figures))
    return tuple(_of_dataset(dataset, found) for dataset, found in by_dataset.items())


def _of_dataset(dataset: str, found: list[tuple[int, Mapping[str, Any]]]) -> Scores:
    found = [(round, _flat(figures)) for round, figures in found]
    seen = {name for _, figures in found for name, value in figures.items() if _is_number(value)}
    in_order = [name for _, figures in found for name in figures if name in seen]
    # `rollouts` stands beside the rate already.
    names = tuple(n for n in dict.fromkeys(in_order) if n not in ("success_rate", "rollouts"))
    rows = tuple(
        (round, rates.of_dataset(figures), tuple(figures.get(name) for name in names))
        for round, figures in found
    )
    return Scores(dataset, names, rows)


def _flat(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return `figures` with those that map names to numbers as figures of their own.

    What they are in, where the evaluator says so in `units`, stands behind the name.
    """
    units = figures.get("units", {})
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping) and value and all(map(_is_number, value.values())):
            for part, number in value.items():
                unit = f" ({units[part]})" if part in units else ""
                flat[f"{name} {part}{unit}"] = number
        else:
            flat[name] = value
    return flat


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
