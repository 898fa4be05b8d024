"""What stands in the file."""

from pathlib import Path

from zk0_core.history import History, RoundRecord
from zk0_core.testing.examples import plan
from zk0_plugin_template.reporter import CsvReporter


def test_a_row_for_each_round(tmp_path: Path) -> None:
    """Round 0 has no clients, and round 1 was not evaluated."""
    reporter = CsvReporter()
    reporter.start(plan(), tmp_path)
    reporter.round(RoundRecord(round=0, policy_loss=0.5), History())
    reporter.round(RoundRecord(round=1), History())
    reporter.finish(History())
    rows = (tmp_path / "losses.csv").read_text().splitlines()
    assert rows == ["round,client_loss,server_loss", "0,,0.5", "1,,"]
