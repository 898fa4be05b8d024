"""Federations of tiny clients, for what really goes over the wire."""

from tests.quadratic import federate  # noqa: F401  # a fixture
