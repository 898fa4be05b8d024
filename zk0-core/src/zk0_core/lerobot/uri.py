"""Dataset addresses such as `local:/data/desk?eval_episodes=5&partition=0/4`."""

from urllib.parse import unquote

import attrs

from zk0_core.errors import DataError
from zk0_core.options import did_you_mean

OPTIONS = ("eval_episodes", "partition")


@attrs.frozen
class DatasetUri:
    """An address taken apart."""

    text: str
    """As the user wrote it."""
    scheme: str
    path: str
    eval_episodes: int = 0
    """How many episodes, the last ones, are for evaluation only."""
    partition: str = ""
    """i/N, or empty for all episodes."""

    @classmethod
    def parse(cls, text: str) -> "DatasetUri":
        """Take `text` apart.

        Raises:
            DataError: if it has no path, or an option that is unknown, twice there or no number.
        """
        scheme, _, rest = text.partition(":")
        path, _, query = rest.partition("?")
        if not path:
            raise DataError(f"dataset {text!r} has no path; write it like {scheme}:PATH")
        values: dict[str, str] = {}
        for pair in query.split("&") if query else []:
            name, _, value = pair.partition("=")
            if name not in OPTIONS:
                raise DataError(
                    f"dataset {text!r}: unknown option {name!r}; "
                    f"choose from {', '.join(OPTIONS)}{did_you_mean(name, OPTIONS)}"
                )
            if name in values:
                raise DataError(f"dataset {text!r}: option {name!r} is given twice; keep one")
            values[name] = unquote(value)
        held_out = values.get("eval_episodes", "0")
        if not (held_out.isascii() and held_out.isdigit()):
            raise DataError(
                f"dataset {text!r}: eval_episodes={held_out} is not a whole number of 0 or more"
            )
        return cls(text, scheme, unquote(path), int(held_out), values.get("partition", ""))
