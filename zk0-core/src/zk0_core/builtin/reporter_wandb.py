"""Curves at Weights & Biases: only when asked for, and offline when asked for."""

import os
import secrets as random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.errors import PluginError, UsageError
from zk0_core.records import ReporterPlugin
from zk0_core.validators import Check, one_of

if TYPE_CHECKING:
    from zk0_core.history import History, RoundRecord
    from zk0_core.plan import RunPlan

KEY = "WANDB_API_KEY"
STATE = "wandb/zk0.json"
"""Which run of the service a run's folder is, and the last round that it was told."""


@attrs.frozen(kw_only=True)
class WandbOptions:
    """Options of `wandb`."""

    project: str = attrs.field(
        default="zk0", validator=Check(bool, "a name"), metadata={"help": "Project of the service."}
    )
    entity: str = attrs.field(default="", metadata={"help": "User or team; empty: the key's own."})
    mode: str = attrs.field(
        default="online",
        validator=one_of("online", "offline"),
        metadata={"help": "Offline writes files only, which `wandb sync` uploads later."},
    )


class WandbReporter:
    """Tells Weights & Biases of each round, and of settings; of no dataset, picture or weight."""

    def __init__(self, options: WandbOptions) -> None:
        self._options = options

    def start(self, plan: "RunPlan", folder: Path) -> None:
        """Open the run at the service, or the one that `folder` had there before.

        Raises:
            PluginError: if wandb is not installed.
            UsageError: if the service refuses, or there is no key for it.
        """
        from zk0_core.secrets import secret

        key = secret(KEY)
        online = self._options.mode == "online"
        if online and not key:
            raise UsageError(
                f"reporter 'wandb' has no {KEY}; set it in the environment or in .env, or add "
                "--reporter.wandb.mode offline"
            )
        wandb = _wandb()
        self._state = folder / STATE
        self._id, self._last = _read_state(self._state)
        try:
            self._run = wandb.init(
                project=self._options.project,
                entity=self._options.entity or None,
                id=self._id,
                resume="allow",
                name=folder.absolute().name,
                dir=str(folder.absolute()),
                config=_settings(plan),
                reinit="create_new",
                settings=_quiet(wandb, self._options.mode, key),
            )
        except wandb.Error as error:
            raise UsageError(
                f"reporter 'wandb' cannot start: {' '.join(str(error).split())}; see {KEY}, "
                "--reporter.wandb.project and --reporter.wandb.entity, or add "
                "--reporter.wandb.mode offline"
            ) from None
        # The service numbers its rows itself; curves are over rounds.
        self._run.define_metric("round")
        self._run.define_metric("*", step_metric="round")

    def round(self, record: "RoundRecord", history: "History") -> None:
        """Tell the round, and those before it that an earlier process of the run did not get to."""
        from zk0_core.files import write_json
        from zk0_core.metric_names import named_metrics

        for each in history.rounds:
            if each.round > self._last:
                self._run.log({"round": each.round, **named_metrics(each)})
                self._last = each.round
        write_json(self._state, {"id": self._id, "round": self._last})

    def finish(self, history: "History") -> None:
        """Wait until the service has everything, or wandb's own process, which writes the file."""
        self._run.finish()


def _wandb() -> Any:
    # Errors in wandb are the user's to see, not to be sent to its makers.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    try:
        import wandb
    except ImportError:
        raise PluginError(
            "reporter 'wandb' needs the package wandb; install it with pip install 'zk0[wandb]', "
            "or choose another --reporter"
        ) from None
    return wandb


def _quiet(wandb: Any, mode: str, key: str | None) -> Any:
    """Return settings with which nothing is sent but what this module sends."""
    return wandb.Settings(
        mode=mode,
        # Not by wandb.login, which writes it into the user's ~/.netrc.
        api_key=key,
        silent=True,
        console="off",
        save_code=False,
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
    )


def _read_state(path: Path) -> tuple[str, int]:
    """Return the run's id at the service and the last round told, -1 for none."""
    import json

    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return random.token_hex(4), -1
    return state["id"], state["round"]


def _settings(plan: "RunPlan") -> dict[str, Any]:
    """Return the plan without datasets: their addresses are paths of somebody's machine."""
    settings = attrs.asdict(
        plan, filter=lambda field, _: field.name not in ("clients", "evaluations", "loaders")
    )
    return {
        **settings,
        "clients": [client.name for client in plan.clients],
        "evaluators": [attrs.asdict(evaluation.evaluator) for evaluation in plan.evaluations],
    }


def build(options: WandbOptions) -> WandbReporter:
    """Return the reporter."""
    return WandbReporter(options)


PLUGIN = ReporterPlugin(
    name="wandb",
    summary="Curves at Weights & Biases, online or offline",
    options=WandbOptions,
    build=build,
)
