"""Federations of tiny clients, some of which misbehave."""

from tests.quadratic import federate, quadratic  # noqa: F401  # fixtures
