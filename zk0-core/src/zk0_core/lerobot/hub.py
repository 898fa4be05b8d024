"""Datasets of the Hugging Face Hub, downloaded whole into the Hub's own cache."""

import errno
from pathlib import Path

from zk0_core.addresses import Address
from zk0_core.errors import DataError, Zk0Error


def downloaded(address: Address) -> Path:
    """Return the folder of the dataset that `address` names, `owner/name@revision`.

    What is there already is not asked for again, and a download that broke off goes on.

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
        there = try_to_load_from_cache(
            name, "meta/info.json", revision=revision or None, repo_type="dataset"
        )
        raise DataError(
            f"{uri}: the Hub cannot be reached and only a part of it is here; "
            "go online and try again: the download goes on where it broke off"
            if isinstance(there, str)
            else f"{uri}: the Hub cannot be reached and no copy is here; "
            "go online, or give a copy as local:/path"
        ) from error
    except HfHubHTTPError as error:
        raise Zk0Error(
            f"{uri}: the Hub answered with status {error.response.status_code}; try again later"
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise Zk0Error(
                f"{uri}: no space left for it; free some, or set HF_HOME to another disk"
            ) from error
        raise Zk0Error(
            f"{uri}: the download broke off: {error}; try again: it goes on where it stopped"
        ) from error
