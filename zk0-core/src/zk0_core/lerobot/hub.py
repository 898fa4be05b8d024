"""Datasets of the Hugging Face Hub, downloaded whole into the Hub's own cache."""

import re
from collections.abc import Iterable
from pathlib import Path

from zk0_core.addresses import Address
from zk0_core.disk import is_full
from zk0_core.errors import DataError, Zk0Error
from zk0_core.secrets import secret

TOKEN = "HF_TOKEN"
"""The secret that what only some may read is downloaded with."""
FORMAT = (3, 0)
"""The newest LeRobot format that is read; recordings on the Hub are tagged with theirs."""


def downloaded(address: Address) -> Path:
    """Return the folder of the dataset that `address` names, `owner/name@revision`.

    Without a revision it is that of the format, as with LeRobot. Files that are there already are
    not asked for again.

    Raises:
        DataError: if it is not there, may not be read, or cannot be reached.
        Zk0Error: if the Hub fails, or the disk does.
    """
    import httpx
    from huggingface_hub import snapshot_download, try_to_load_from_cache
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
        if revision is None:
            revision = _of_the_format(uri, name)
        return Path(
            snapshot_download(name, repo_type="dataset", revision=revision, token=secret(TOKEN))
        )
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


def _of_the_format(uri: str, name: str) -> str | None:
    """Return the branch or tag that LeRobot would take of the dataset `name`.

    Offline it is the same of what was downloaded; None where that has no version.

    Raises:
        DataError: if none is tagged with a version, or only newer ones are.
    """
    import httpx
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.file_download import repo_folder_name

    try:
        refs = HfApi(token=secret(TOKEN)).list_repo_refs(name, repo_type="dataset")
    except (OfflineModeIsEnabled, httpx.TransportError):
        kept = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=name, repo_type="dataset"))
        return newest_readable(versions(ref.name for ref in (kept / "refs").glob("*")))
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
