"""The run's page, `report.html`."""

from pathlib import Path
from typing import TYPE_CHECKING

from zk0_core.records import NoOptions, ReporterPlugin

if TYPE_CHECKING:
    from zk0_core.history import History, RoundRecord
    from zk0_core.plan import RunPlan


class ReportReporter:
    """Writes the page when a run is over; `zk0 report` writes it at any time."""

    def start(self, plan: "RunPlan", folder: Path) -> None:
        """Remember what is run, and where."""
        self._plan, self._folder = plan, folder

    def round(self, record: "RoundRecord", history: "History") -> None:
        """Nothing is written before the end."""

    def finish(self, history: "History") -> None:
        """Write the page."""
        from zk0_core.report.page import NAME, write_page
        from zk0_core.report.reading import run_of

        write_page(run_of(self._plan, history, self._folder), self._folder / NAME)


def build(options: NoOptions) -> ReportReporter:
    """Return the reporter."""
    return ReportReporter()


PLUGIN = ReporterPlugin(
    name="report", summary="A page with figures, curves and videos of the run", build=build
)
