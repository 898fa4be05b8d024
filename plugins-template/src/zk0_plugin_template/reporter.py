"""One row a round, in losses.csv of the run's folder."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zk0_core.history import History, RoundRecord
    from zk0_core.plan import RunPlan


class CsvReporter:
    """Writes a row as soon as a round is over; what was not evaluated stays empty."""

    def start(self, plan: "RunPlan", folder: Path) -> None:
        """Write the heads."""
        self._path = folder / "losses.csv"
        with self._path.open("w", newline="") as file:
            csv.writer(file).writerow(["round", "client_loss", "server_loss"])

    def round(self, record: "RoundRecord", history: "History") -> None:
        """Write a row."""
        row = [record.round, record.mean_client("policy_loss"), record.policy_loss]
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow(row)

    def finish(self, history: "History") -> None:
        """Do nothing: all rows are written."""
