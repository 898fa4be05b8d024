"""Publish a run's model on the Hub, private unless asked otherwise."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from zk0_core.errors import UsageError, Zk0Error
from zk0_core.history import History
from zk0_core.hub.card import model_card
from zk0_core.hub.files import published_files
from zk0_core.report.reading import Run
from zk0_core.secrets import secret

TOKEN = "HF_TOKEN"


@attrs.frozen
class Pushed:
    """A model that was published."""

    repository: str
    url: str
    round: int
    private: bool
    tag: str
    """Empty for none."""


def push(
    run: Run, repository: str, *, round: int | None = None, public: bool = False, tag: bool = False
) -> Pushed:
    """Publish the model of `run` as `repository`, one commit, with its card.

    Args:
        run: The run; its folder has the model.
        repository: `owner/name`; made if it is not there.
        round: After which the model was saved; None for the final one.
        public: Whether all may see it. A public repository is only pushed to with this.
        tag: Whether the commit is tagged `round-N`.

    Raises:
        UsageError: if there is no such model, or the Hub does not take it from this user.
        Zk0Error: if the Hub fails or cannot be reached.
    """
    model = _model(run, round)
    done = run.done if round is None else round
    records = tuple(record for record in run.history.rounds if record.round <= done)
    card = model_card(attrs.evolve(run, history=History(records)), model, repository)
    with _told(repository):
        return _commit(model, card, repository, done, public, tag)


def check_repository(repository: str) -> None:
    """Raise UsageError unless `repository` can be the name of one."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError:
        valid = False
    else:
        valid = repository.count("/") == 1
    if not valid:
        raise UsageError(
            f"'{repository}' is no name of a repository; write owner/name, such as ann/lift-cube"
        )


def _model(run: Run, round: int | None) -> Path:
    """Return the folder of the model after `round`."""
    models = run.folder / "models"
    model = models / ("final" if round is None else f"round_{round}")
    if (model / "zk0.json").is_file():
        return model
    saved = sorted(int(path.name[6:]) for path in models.glob("round_*"))
    there = ", ".join(map(str, saved)) or "none"
    if round is None:
        raise UsageError(
            f"run {run.folder} has no final model; finish it with zk0 resume, or choose --round "
            f"among those that are saved: {there}"
        )
    raise UsageError(
        f"run {run.folder} saved no model after round {round}; choose --round among {there}"
    )


def _commit(model: Path, card: str, repository: str, round: int, public: bool, tag: bool) -> Pushed:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    # Read here, since the Hub's client reads it when it is imported.
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=_token())
    url = api.create_repo(repository, private=not public, exist_ok=True)
    private = bool(api.model_info(repository).private)
    if not (private or public):
        raise UsageError(
            f"{repository} is public; add --public to publish there, or choose another name"
        )
    operations = [CommitOperationAdd(name, content) for name, content in published_files(model)]
    operations.append(CommitOperationAdd("README.md", card.encode()))
    commit = api.create_commit(repository, operations, commit_message=f"zk0: after round {round}")
    name = f"round-{round}" if tag else ""
    if name:
        api.create_tag(repository, tag=name, revision=commit.oid, exist_ok=True)
    return Pushed(repository, str(url), round, private, name)


def _token() -> str:
    from huggingface_hub import get_token

    token = secret(TOKEN) or get_token()
    if not token:
        raise UsageError(
            f"no {TOKEN} to publish with; make one with write access at "
            "https://huggingface.co/settings/tokens and set it in the environment or in .env"
        )
    return token


@contextmanager
def _told(repository: str) -> Iterator[None]:
    """Turn what the Hub's client raises into one line."""
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled:
        raise UsageError(
            "HF_HUB_OFFLINE is set, so nothing can be published; unset it and try again"
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise UsageError(
                f"the Hub does not let this {TOKEN} write to {repository} (status {status}); use "
                "one with write access to it, or choose another owner/name"
            ) from error
        raise Zk0Error(
            f"{repository}: the Hub answered with status {status}; try again later"
        ) from error
    except httpx.TransportError as error:
        raise Zk0Error(
            f"{repository}: the Hub cannot be reached ({type(error).__name__}); try again later"
        ) from error
