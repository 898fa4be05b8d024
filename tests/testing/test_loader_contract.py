"""What loaders do wrong, and what the contract says of it."""

import attrs
import numpy as np
import pytest

from tests.testing.failing import failure
from zk0_core import DatasetLoaderPlugin
from zk0_core.testing import (
    LoaderContract,
    examples,
)


class TinyLoader:
    """Opens the tiny dataset, with one thing wrong."""

    def __init__(self, **wrong):
        self.wrong = wrong

    def open(self, uri, progress=None):
        return attrs.evolve(examples.dataset(), uri="tiny:", **self.wrong)

    def prepare(self, uris, workers, progress=None):
        pass


class Float64Loader(TinyLoader):
    def open(self, uri, progress=None):
        dataset = super().open(uri)
        return attrs.evolve(dataset, state=dataset.state.astype(np.float64))


class OverlapLoader(TinyLoader):
    def open(self, uri, progress=None):
        dataset = super().open(uri)
        episodes = [attrs.evolve(episode, start=0) for episode in dataset.episodes]
        return attrs.evolve(dataset, episodes=episodes)


@pytest.mark.parametrize(
    ("build", "name", "text"),
    [
        (Float64Loader, "test_schema_fits_the_data", "state is float64, not float32"),
        (
            OverlapLoader,
            "test_episodes_share_no_frame",
            "episode 1 has frames [0, 9); free are [5, 15)",
        ),
        (
            TinyLoader,
            "test_nothing_there_is_an_error",
            "opening tiny:/no/such/dataset raises no DataError",
        ),
    ],
)
def test_what_loaders_do_wrong(build: type, name: str, text: str) -> None:
    record = DatasetLoaderPlugin(name="tiny", summary="s", build=lambda options: build())
    contract = type("TinyContract", (LoaderContract,), {"address": "tiny:"})
    assert failure(contract, record, name) == text


def test_a_loader_without_a_sample_says_how_to_give_one() -> None:
    record = DatasetLoaderPlugin(name="tiny", summary="s", build=lambda options: TinyLoader())
    assert failure(LoaderContract, record, "test_every_picture_comes_once") == (
        "there is no dataset to try it on: set `address` in the contract, override `sample`, or "
        "give zk0 plugins test --dataset URI"
    )
