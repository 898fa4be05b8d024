"""Datasets of the Hugging Face Hub, downloaded whole into the Hub's own cache."""

import re
from collections.abc import Iterable
from pathlib import Path

from loguru import logger

from zk0_core.addresses import Address
from zk0_core.disk import is_full
from zk0_core.errors import DataError, Zk0Error
from zk0_core.secrets import secret

TOKEN = "HF_TOKEN"
"""The secret that what only some may read is downloaded with."""
FORMAT = (3, 0)
"""The newest LeRobot format that is read; recordings on the Hub are tagged with theirs."""
_BUSY = (429, *range(500, 600))
"""Answers that say nothing of what was asked for."""
_OFFLINE = "HF_HUB_OFFLINE is set"

_downloaded: dict[tuple[str, ...], Path] = {}
"""What this process has asked for: the Hub allows so many questions in five minutes."""


def downloaded(address: Address) -> Path:
    """Return the folder of the dataset that `address` names, `owner/name@revision`.

    Without a revision it is that of the format, as with LeRobot. Files that are there already are
    not downloaded again, and a process asks once for a dataset. Where the Hub is down or busy, a
    copy that is whole serves, with a warning.

    Raises:
        DataError: if it is not there, may not be read, or cannot be reached.
        Zk0Error: if the Hub fails, or the disk does.
    """
    from huggingface_hub import constants

    asked = address.place, str(constants.ENDPOINT), str(constants.HF_HUB_CACHE)
    if asked not in _downloaded or not _downloaded[asked].is_dir():
        _downloaded[asked] = _download(address)
    return _downloaded[asked]


def forget_downloads() -> None:
    """Ask the Hub anew for whatever is opened from now on."""
    _downloaded.clear()


def _download(address: Address) -> Path:
    import httpx
    from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    uri = address.text
    name, _, written = address.place.partition("@")
    revision: str | None = written or None
    try:
        try:
            if revision is None:
                revision = _of_the_format(uri, name)
            else:
                # The download would take a copy without a word, were there no answer.
                HfApi(token=secret(TOKEN)).dataset_info(name, revision=revision)
            return Path(
                snapshot_download(name, repo_type="dataset", revision=revision, token=secret(TOKEN))
            )
        except (OSError, httpx.TransportError) as error:
            if (why := _outage(error)) is None:
                raise
            revision = written or _kept_revision(name)
            if (copy := _copy(name, revision)) is None:
                raise
            if why != _OFFLINE:
                logger.warning("{}: {}; the copy that is here is taken", uri, why)
            return copy
    except GatedRepoError as error:
        raise DataError(
            f"{uri}: {name} asks for consent first; give it on "
            f"https://huggingface.co/datasets/{name} and set {TOKEN}"
        ) from error
    except RevisionNotFoundError as error:
        raise DataError(f"{uri}: {name} has no revision {revision!r}; check its name") from error
    except RepositoryNotFoundError as error:
        raise DataError(
            f"{uri}: the Hub has no dataset {name!r} that you may read; "
            f"check the name, or set {TOKEN} for a private one"
        ) from error
    except HFValidationError as error:
        raise DataError(f"{uri}: {name!r} is no Hub name; write hf:owner/name") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx.TransportError) as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise _failed(uri, error.__cause__.response.status_code) from error
        there = try_to_load_from_cache(
            name, "meta/info.json", revision=revision, repo_type="dataset"
        )
        raise DataError(
            f"{uri}: the Hub cannot be reached and only a part of it is here; "
            "go online and try again: files that are here are kept"
            if isinstance(there, str)
            else f"{uri}: the Hub cannot be reached and no copy is here; "
            "go online, or give a copy as local:/path"
        ) from error
    except HfHubHTTPError as error:
        raise _failed(uri, error.response.status_code) from error
    except OSError as error:
        if is_full(error):
            raise Zk0Error(
                f"{uri}: no space left for it; free some, or set HF_HOME to another disk"
            ) from error
        raise Zk0Error(
            f"{uri}: the download broke off: {error}; try again: files that are here are kept"
        ) from error


def _outage(error: Exception) -> str | None:
    """Return in words that the Hub is down, busy or not to be asked; None for anything else."""
    import httpx
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    told = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else error
    if isinstance(told, HfHubHTTPError):
        status = told.response.status_code
        return f"the Hub answered with status {status}" if status in _BUSY else None
    if isinstance(told, OfflineModeIsEnabled):
        return _OFFLINE
    return "the Hub cannot be reached" if isinstance(told, httpx.TransportError) else None


def _kept_revision(name: str) -> str | None:
    """Return which of the versions of `name` that were downloaded is that of the format."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    kept = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=name, repo_type="dataset"))
    return newest_readable(versions(ref.name for ref in (kept / "refs").glob("*")))


def _copy(name: str, revision: str | None) -> Path | None:
    """Return the folder of what was downloaded before; None if that is not all of it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(name, repo_type="dataset", revision=revision, local_files_only=True)
        )
    except LocalEntryNotFoundError:
        return None


def _of_the_format(uri: str, name: str) -> str:
    """Return the branch or tag that LeRobot would take of the dataset `name`.

    Raises:
        DataError: if none is tagged with a version, or only newer ones are.
    """
    from huggingface_hub import HfApi

    refs = HfApi(token=secret(TOKEN)).list_repo_refs(name, repo_type="dataset")
    known = versions(ref.name for ref in (*refs.branches, *refs.tags))
    if not known:
        raise DataError(
            f"{uri}: {name} has no tag with a version of LeRobot's format; write which revision "
            f"to take, such as hf:{name}@main"
        )
    revision = newest_readable(known)
    if revision is None:
        raise DataError(
            f"{uri}: {name} is in LeRobot's format {known[min(known)]} or newer only, and zk0 "
            f"reads v{FORMAT[0]}.{FORMAT[1]}; use a newer zk0"
        )
    return revision


def versions(names: Iterable[str]) -> dict[tuple[int, int], str]:
    """Return version, (major, minor), to name, of those branches and tags that are one."""
    found = ((re.fullmatch(r"v?(\d+)\.(\d+)", name), name) for name in names)
    return {(int(match[1]), int(match[2])): name for match, name in found if match}


def newest_readable(known: dict[tuple[int, int], str]) -> str | None:
    """Return the newest of `versions` that is not too new; None where there is none.

    It may be of an older major version: whoever opens it says how to convert it.
    """
    readable = [version for version in known if version <= FORMAT]
    return known[max(readable)] if readable else None


def _failed(uri: str, status: int) -> Zk0Error:
    return Zk0Error(f"{uri}: the Hub answered with status {status}; try again later")
