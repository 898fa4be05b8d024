"""One line of JSON a round, flat, for programs that follow a run."""

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from zk0_core.records import ReporterPlugin
from zk0_core.validators import Check

if TYPE_CHECKING:
    from zk0_core.history import History, RoundRecord
    from zk0_core.plan import RunPlan


@attrs.frozen(kw_only=True)
class JsonlOptions:
    """Options of `jsonl`."""

    file: str = attrs.field(
        default="metrics.jsonl",
        validator=Check(bool, "a path"),
        metadata={"help": "Where the lines go; below the run's folder unless absolute."},
    )


class JsonlReporter:
    """Appends a line a round; what an earlier process of the run wrote is replaced at its start."""

    def __init__(self, options: JsonlOptions) -> None:
        self._options = options

    def start(self, plan: "RunPlan", folder: Path) -> None:
        """Remember where to write."""
        self._path = folder / self._options.file
        self._told = False

    def round(self, record: "RoundRecord", history: "History") -> None:
        """Write the round; the first time, all rounds before it too."""
        from zk0_core.files import write_text

        if not self._told:
            # From the history, so that a run that was resumed has each round once.
            write_text(self._path, "".join(map(_line, history.rounds)))
            self._told = True
            return
        with self._path.open("a", encoding="utf-8") as log:
            log.write(_line(record))

    def finish(self, history: "History") -> None:
        """Everything is written already."""


def _line(record: "RoundRecord") -> str:
    import json

    from zk0_core.metric_names import named_metrics

    return json.dumps({"round": record.round, **named_metrics(record)}, allow_nan=False) + "\n"


def build(options: JsonlOptions) -> JsonlReporter:
    """Return the reporter."""
    return JsonlReporter(options)


PLUGIN = ReporterPlugin(
    name="jsonl",
    summary="One flat line of JSON a round, for programs",
    options=JsonlOptions,
    build=build,
)
