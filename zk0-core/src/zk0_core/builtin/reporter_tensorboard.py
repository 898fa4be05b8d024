"""Curves for TensorBoard, below `tensorboard/` in the run's folder."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zk0_core.errors import PluginError
from zk0_core.records import NoOptions, ReporterPlugin

if TYPE_CHECKING:
    from zk0_core.history import History, RoundRecord
    from zk0_core.plan import RunPlan

FOLDER = "tensorboard"


class TensorBoardReporter:
    """Writes event files; what an earlier process of the run wrote is replaced at its start."""

    def start(self, plan: "RunPlan", folder: Path) -> None:
        """Remember where to write.

        Raises:
            PluginError: if TensorBoard is not installed.
        """
        self._folder = folder / FOLDER
        self._writer: Any = None
        self._summary_writer = _summary_writer()

    def round(self, record: "RoundRecord", history: "History") -> None:
        """Write the round; the first time, all rounds before it too."""
        news = [record]
        if self._writer is None:
            # From the history, so that a run that was resumed has each round once.
            shutil.rmtree(self._folder, ignore_errors=True)
            self._writer = self._summary_writer(str(self._folder))
            news = list(history.rounds)
        for each in news:
            _write(self._writer, each)
        self._writer.flush()

    def finish(self, history: "History") -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()


def _summary_writer() -> Any:
    try:
        from tensorboard.summary import Writer
    except ImportError:
        raise PluginError(
            "reporter 'tensorboard' needs the package tensorboard; install it with "
            "pip install 'zk0[tensorboard]', or choose another --reporter"
        ) from None
    return Writer


def _write(writer: Any, record: "RoundRecord") -> None:
    from zk0_core.metric_names import named_metrics

    for name, value in named_metrics(record).items():
        writer.add_scalar(name, value, record.round)


def build(options: NoOptions) -> TensorBoardReporter:
    """Return the reporter."""
    return TensorBoardReporter()


PLUGIN = ReporterPlugin(name="tensorboard", summary="Curves for TensorBoard", build=build)
