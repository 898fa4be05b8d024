"""A run file that is complete, and plans made from variations of it."""

from collections.abc import Callable

import pytest

from zk0_core.plan import RunPlan
from zk0_core.registry import Registry
from zk0_core.resolve import resolve_plan
from zk0_core.runfile import settings_from_toml

COMPLETE = """
rounds = 3
lr = 1e-3
batch_size = 8
reporters = []

[policy]
name = "smolvla-tiny"

[strategy]
name = "fedprox"
mu = 0.02

[[clients]]
name = "left-desk"
dataset = "local:/data/left"
rename = { "observation.images.side" = "observation.images.top" }

[[clients]]
dataset = "local:/data/right"
"""

Resolve = Callable[..., RunPlan]


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.discover()


@pytest.fixture
def resolve(registry: Registry) -> Resolve:
    """Resolves the complete run file, after replacements (old, new) in its text."""

    def resolve(*replacements: tuple[str, str], more: str = "") -> RunPlan:
        text = COMPLETE
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        return resolve_plan(settings_from_toml(text + more, "run.toml"), registry)

    return resolve
