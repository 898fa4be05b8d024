"""The output folder of a run; every file is written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from zk0_core.errors import UsageError, Zk0Error
from zk0_core.files import write_bytes, write_json, write_text
from zk0_core.history import History, RoundRecord, from_line, to_line
from zk0_core.plan import RunPlan
from zk0_core.report.analysis import NAME, video_analysis
from zk0_core.server.checkpoint import Checkpoints, rounds_in

PLAN = "plan.json"
HISTORY = "history.jsonl"
FACTS = "zk0.json"
"""File beside a saved model: the schema and statistics that it was trained with."""


class RunFolder:
    """Where a run writes what happened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """Make the folder of a new run.

        Raises:
            UsageError: if `path` is there and holds anything.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"output folder {path} is in use; choose another with --output")
        path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    @classmethod
    def reopen(cls, path: Path) -> "RunFolder":
        """Open the folder of a run that ended before its time.

        Raises:
            UsageError: if `path` is no run, or the run is finished.
        """
        if not (path / PLAN).is_file():
            raise UsageError(f"{path} is no run: {PLAN} is not there; name a run's folder")
        folder = cls(path)
        if (folder.model(None) / FACTS).is_file():
            raise UsageError(f"{path} is finished; start another run with zk0 run")
        return folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing this run.

        Raises:
            UsageError: if one does already.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                f"{self.path} is being written by another process; wait for it, or stop it"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def model(self, round: int | None) -> Path:
        """Return the folder of the model after `round`; of the final one for None."""
        return self.path / "models" / ("final" if round is None else f"round_{round}")

    def last_model(self) -> Path | None:
        """Return the folder of the last model that was saved after a round; None before one."""
        saved = rounds_in(self.path / "models")
        return saved[max(saved)] if saved else None

    @property
    def checkpoints(self) -> Checkpoints:
        """Where the run can be taken up again."""
        return Checkpoints(self.path / "checkpoints")

    def write_plan(self, plan: RunPlan) -> None:
        """Write the plan: as TOML for people, as JSON for `read_plan`."""
        from zk0_core.runfile import plan_to_json, plan_to_toml

        write_text(self.path / "plan.toml", plan_to_toml(plan))
        write_text(self.path / PLAN, plan_to_json(plan) + "\n")

    def read_plan(self) -> RunPlan:
        """Return the plan."""
        from zk0_core.runfile import plan_from_json

        return plan_from_json((self.path / PLAN).read_text(encoding="utf-8"))

    def back_to(self, round: int) -> History:
        """Return the history up to `round`, -1 for none; what is recorded of later ones goes."""
        path = self.path / HISTORY
        lines = path.read_bytes().splitlines() if path.is_file() else []
        kept = lines[: round + 1]
        records = tuple(self._record(line, number) for number, line in enumerate(kept))
        if len(records) != round + 1:
            raise Zk0Error(
                f"{path} has {len(records)} rounds and the checkpoint is of round {round}; restore "
                "the file from a copy, or start the run afresh"
            )
        write_bytes(path, b"".join(line + b"\n" for line in kept))
        return History(records)

    def _record(self, line: bytes, round: int) -> RoundRecord:
        problem: object = ""
        try:
            record = from_line(line)
            if record.round != round:
                problem = f"it is of round {record.round}"
        except ValueError as error:
            problem = error
        if problem:
            raise Zk0Error(
                f"line {round + 1} of {self.path / HISTORY} is not the record of round {round}: "
                f"{problem}; restore the file from a copy, or start the run afresh"
            )
        return record

    def write_round(self, history: History, action_dim: int) -> None:
        """Write every file that a round changes, its record last."""
        record = history.rounds[-1]
        write_json(self.path / "server" / f"round_{record.round}_server_eval.json", _server(record))
        for client in record.clients:
            path = self.path / "clients" / client.client / f"round_{record.round}.json"
            write_json(path, attrs.asdict(client))
        write_json(
            self.path / "federated_metrics.json", [_metrics(entry) for entry in history.rounds]
        )
        losses = {
            str(entry.round): {"server_policy_loss": entry.policy_loss, "action_dim": action_dim}
            for entry in history.rounds
        }
        write_json(self.path / "policy_loss_history.json", losses)
        if record.datasets:
            write_json(self.path / "evaluate" / NAME, video_analysis(self.path, record.round))
        with (self.path / HISTORY).open("a", encoding="utf-8") as log:
            log.write(to_line(record) + "\n")
            log.flush()
            os.fsync(log.fileno())


def _server(record: RoundRecord) -> dict[str, Any]:
    individual = [
        {key: value for key, value in attrs.asdict(client).items() if key != "lr_span"}
        for client in record.clients
    ]
    return {
        "round": record.round,
        "policy_loss": record.policy_loss,
        "datasets": list(record.datasets),
        "clients": _clients(record),
        "individual": individual,
        "refused": [attrs.asdict(refusal) for refusal in record.refused],
        "quarantined": list(record.quarantined),
    }


def _clients(record: RoundRecord) -> dict[str, Any]:
    return {
        "avg_client_loss": record.mean_client("policy_loss"),
        "std_client_loss": record.std_client_loss(),
        "avg_prox_loss": record.mean_client("prox_loss"),
        "num_clients": len(record.clients),
    }


def _metrics(record: RoundRecord) -> dict[str, Any]:
    figures = _clients(record)
    return {
        "round": record.round,
        "policy_loss": record.policy_loss,
        "success_rate": record.success_rate,
        "avg_client_loss": figures["avg_client_loss"],
        "std_client_loss": figures["std_client_loss"],
        "num_clients": figures["num_clients"],
        "lr": record.lr,
        "mu": record.mu,
        "bytes_up": record.bytes_up,
        "bytes_down": record.bytes_down,
        "seconds": record.seconds,
    }
