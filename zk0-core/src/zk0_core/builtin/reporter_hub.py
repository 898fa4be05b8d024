"""Publishes the model on the Hugging Face Hub while it is trained, and when it is."""

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from zk0_core.errors import UsageError, Zk0Error
from zk0_core.records import ReporterPlugin
from zk0_core.validators import Check, ge

if TYPE_CHECKING:
    from zk0_core.history import History, RoundRecord
    from zk0_core.plan import RunPlan


@attrs.frozen(kw_only=True)
class HubOptions:
    """Options of `hub`."""

    repository: str = attrs.field(
        validator=Check(lambda value: value.count("/") == 1, "owner/name"),
        metadata={"help": "Where to: owner/name; made if it is not there."},
    )
    after: int = attrs.field(
        default=0,
        validator=ge(0),
        metadata={
            "help": "Publish after every so many rounds, never before so many are done; 0: the "
            "final model only."
        },
    )
    public: bool = attrs.field(
        default=False, metadata={"help": "Whether all may see it, not its owner alone."}
    )
    tags: bool = attrs.field(
        default=False, metadata={"help": "Whether each commit is tagged round-N."}
    )


class HubReporter:
    """A run goes on when the Hub does not take a model; what failed is told at once and at last."""

    def __init__(self, options: HubOptions) -> None:
        self._options = options

    def start(self, plan: "RunPlan", folder: Path) -> None:
        """See that there will be models to publish.

        Raises:
            UsageError: if rounds that are to be published are not saved, or the name is none.
        """
        from zk0_core.hub.push import check_repository

        check_repository(self._options.repository)
        after, saved = self._options.after, plan.checkpoint_every
        if after and (not saved or after % saved):
            raise UsageError(
                f"reporter 'hub' is to publish every {after} rounds, but models are saved "
                f"{f'every {saved}' if saved else 'at the end only'}; set checkpoint_every to a "
                f"number that divides {after}, or --push-after to 0"
            )
        self._plan, self._folder = plan, folder
        self._failed: list[str] = []

    def round(self, record: "RoundRecord", history: "History") -> None:
        """Publish the model when its round has come."""
        after = self._options.after
        # The last round's model is the final one, which `finish` publishes.
        due = after and record.round % after == 0 and 0 < record.round < self._plan.rounds
        if due:
            self._push(history, record.round)

    def finish(self, history: "History") -> None:
        """Publish the final model, unless the run was too short for it; say what failed."""
        from loguru import logger

        if history.rounds[-1].round >= self._options.after:
            self._push(history, None)
        if self._failed:
            logger.bind(shown=True).warning(
                "not published: {}; try again with zk0 push {} {}",
                ", ".join(self._failed),
                self._folder,
                self._options.repository,
            )

    def _push(self, history: "History", round: int | None) -> None:
        from loguru import logger

        from zk0_core.hub.push import push
        from zk0_core.report.reading import run_of

        options = self._options
        run = run_of(self._plan, history, self._folder)
        try:
            pushed = push(
                run, options.repository, round=round, public=options.public, tag=options.tags
            )
        except Zk0Error as error:
            self._failed.append("the final model" if round is None else f"round {round}")
            logger.bind(shown=True).warning("not published: {}", error)
        else:
            logger.info("round {} is published: {}", pushed.round, pushed.url)


def build(options: HubOptions) -> HubReporter:
    """Return the reporter."""
    return HubReporter(options)


PLUGIN = ReporterPlugin(
    name="hub",
    summary="Publishes the model on the Hugging Face Hub, private by default",
    options=HubOptions,
    build=build,
)
