"""Datasets of the Hugging Face Hub: `hf:owner/name@revision?eval_episodes=5`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zk0_core.records import DatasetLoaderPlugin, NoOptions

if TYPE_CHECKING:
    from zk0_core.data import Progress, RobotDataset


class HubLoader:
    """Downloads datasets of the Hub, once, and opens them."""

    def open(self, uri: str, progress: "Progress | None" = None) -> "RobotDataset":
        """Open the dataset that `uri` names; it stays in the Hub's own cache.

        Raises:
            DataError: if it is not there, cannot be reached, or is not of version 3.
        """
        from pathlib import Path

        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
            OfflineModeIsEnabled,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        from zk0_core.addresses import Address
        from zk0_core.errors import DataError
        from zk0_core.lerobot.datasets import OPTIONS, open_folder

        address = Address.parse(uri, OPTIONS)
        name, _, revision = address.place.partition("@")
        try:
            folder = snapshot_download(name, repo_type="dataset", revision=revision or None)
        except GatedRepoError as error:
            raise DataError(
                f"{uri}: {name} asks for consent first; give it on "
                f"https://huggingface.co/datasets/{name} and set HF_TOKEN"
            ) from error
        except RevisionNotFoundError as error:
            raise DataError(f"{uri}: {name} has no revision {revision!r}") from error
        except RepositoryNotFoundError as error:
            raise DataError(
                f"{uri}: the Hub has no dataset {name!r} that you may read; "
                "check the name, or set HF_TOKEN for a private one"
            ) from error
        except HFValidationError as error:
            raise DataError(f"{uri}: {name!r} is no Hub name; write hf:owner/name") from error
        except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
            raise DataError(
                f"{uri}: the Hub cannot be reached and no copy is here; "
                "go online, or give a copy as local:/path"
            ) from error
        return open_folder(address, Path(folder))

    def prepare(
        self, uris: Sequence[str], workers: int, progress: "Progress | None" = None
    ) -> None:
        """Download what is not there yet, so that workers don't ask for it at once."""
        for number, uri in enumerate(uris):
            self.open(uri, progress)
            if progress:
                progress("downloading datasets", number + 1, len(uris))


def build(options: NoOptions) -> HubLoader:
    """Return the loader."""
    return HubLoader()


PLUGIN = DatasetLoaderPlugin(
    name="hf", summary="A LeRobot v3 dataset of the Hugging Face Hub", build=build
)
