"""The errors zk0 raises on purpose, and the exit status each one ends a command with.

A message is one line that names the thing, who supplied it, the choices and the fix.
"""


class Zk0Error(Exception):
    """Something went wrong while working; ends a command with status 1."""

    exit_code = 1


class UsageError(Zk0Error):
    """What was asked for cannot be done as asked; ends a command with status 2."""

    exit_code = 2


class PluginError(UsageError):
    """A plugin is missing, broken, in conflict, or was given wrong options."""


class DataError(UsageError):
    """A dataset cannot be read or does not fit what is to be trained on it."""


class WireError(Zk0Error):
    """A message between server and client is malformed or does not match its hash."""


class RoundError(Zk0Error):
    """A round cannot be completed: too few usable updates, or nobody to ask."""
