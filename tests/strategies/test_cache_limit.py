"""Clients keep to the disk that the plan gives their caches."""

from zk0_core.cache import cache_limit, limit_caches


def test_a_session_keeps_to_the_recipe(federate, quadratic) -> None:
    """Two clients share 1 GB."""
    try:
        problems = {name: quadratic([1.0], [1.0]) for name in ("left", "right")}
        federate(problems, "fedavg", cache_gb=1.0).round()
        assert cache_limit() == 500_000_000
    finally:
        limit_caches(None)
