"""Fixtures for plugins' own tests; pytest finds them by the entry point `pytest11`.

Every pytest of an environment with zk0 imports this module, so it imports nothing but pytest.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from zk0_core.history import History
    from zk0_core.registry import Registry
    from zk0_core.tensors import Tensors
    from zk0_core.testing.examples import TinyDataset

NOBODY = "-"
"""A name that no plugin can have."""


@pytest.fixture
def zk0_tensors() -> "Tensors":
    """Small named float32 arrays of several shapes."""
    from zk0_core.testing import examples

    return examples.tensors()


@pytest.fixture
def zk0_history() -> "History":
    """Six rounds of two clients, with a refusal, a round that doesn't count, and gaps."""
    from zk0_core.testing import examples

    return examples.history()


@pytest.fixture
def zk0_dataset() -> "TinyDataset":
    """Three episodes of two cameras and four joints, in memory; the last is held out."""
    from zk0_core.testing import examples

    return examples.dataset()


@pytest.fixture
def only_these_plugins(
    monkeypatch: pytest.MonkeyPatch,
) -> "Iterator[Callable[..., Registry]]":
    """Call it with entry-point or distribution names: nothing else that is installed is found.

    It returns the registry. Processes that the test starts see the same plugins.
    """
    from zk0_core.parts import installed
    from zk0_core.registry import ALLOW_LIST

    def only(*names: str) -> "Registry":
        monkeypatch.setenv(ALLOW_LIST, ",".join(names) or NOBODY)
        installed.cache_clear()
        return installed()

    yield only
    installed.cache_clear()


@pytest.fixture
def isolated_plugins(only_these_plugins: "Callable[..., Registry]") -> "Registry":
    """Nothing but what comes with zk0 is found; the registry of that."""
    return only_these_plugins("zk0-core", "zk0-strategies", "zk0-schedulers")
