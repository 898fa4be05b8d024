"""Datasets of the Hugging Face Hub, downloaded whole into the Hub's own cache."""

from pathlib import Path

from zk0_core.addresses import Address
from zk0_core.disk import is_full
from zk0_core.errors import DataError, Zk0Error


def downloaded(address: Address) -> Path:
    """Return the folder of the dataset that `address` names, `owner/name@revision`.

    Files that are there already are not asked for again.

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
    name, _, revision = address.place.partition("@")
    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision or None))
    except GatedRepoError as error:
        raise DataError(
            f"{uri}: {name} asks for consent first; give it on "
            f"https://huggingface.co/datasets/{name} and set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise DataError(f"{uri}: {name} has no revision {revision!r}; check its name") from error
    except RepositoryNotFoundError as error:
        raise DataError(
            f"{uri}: the Hub has no dataset {name!r} that you may read; "
            "check the name, or set HF_TOKEN for a private one"
        ) from error
    except HFValidationError as error:
        raise DataError(f"{uri}: {name!r} is no Hub name; write hf:owner/name") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx.TransportError) as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise _failed(uri, error.__cause__.response.status_code) from error
        there = try_to_load_from_cache(
            name, "meta/info.json", revision=revision or None, repo_type="dataset"
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


def _failed(uri: str, status: int) -> Zk0Error:
    return Zk0Error(f"{uri}: the Hub answered with status {status}; try again later")
