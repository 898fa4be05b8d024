"""What a run is called unless somebody says so: when it was asked for, and its strategy."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

from zk0_core.plan import RunPlan


def run_names(plan: RunPlan) -> Iterator[str]:
    """Yield names for a run of `plan` that is asked for now; the first that is free is its own."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{plan.strategy.name}"
    yield name
    for number in itertools.count(2):
        yield f"{name}-{number}"
