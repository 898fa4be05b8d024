"""Dataset addresses: `SCHEME:PLACE?option=value&option=value`, and several joined by " + ".

The one place that takes addresses apart. What place and options mean is their loader's business.
"""

from collections.abc import Mapping, Sequence
from typing import NoReturn
from urllib.parse import unquote

import attrs

from zk0_core.errors import DataError, UsageError
from zk0_core.options import did_you_mean
from zk0_core.plan import ClientPlan

JOIN = " + "
"""Stands between the addresses of datasets that are to be one; a path writes it `%20+%20`."""

HELD_OUT = "eval_episodes"
"""Option of an address: how many episodes, the last ones, are held out of training."""


@attrs.frozen
class Address:
    """One address taken apart; `%20` and the like are decoded."""

    text: str
    """As the user wrote it."""
    scheme: str
    place: str
    options: Mapping[str, str]

    @classmethod
    def parse(
        cls, text: str, accepted: Sequence[str] | None = None, *, source: str = ""
    ) -> "Address":
        """Take `text` apart.

        Args:
            text: The address of one dataset.
            accepted: The options that its loader knows; None to let any pass.
            source: Who supplied it, for errors, such as "run.toml".

        Raises:
            DataError: if it has no scheme or place, or an option that is unknown, empty or twice
                there.
        """

        def refuse(problem: str) -> NoReturn:
            raise DataError(f"dataset '{text}' {problem}{f' (from {source})' if source else ''}")

        if JOIN in text:
            refuse(f"is several, joined by '{JOIN}'; name one of them")
        scheme, _, rest = text.partition(":")
        place, _, query = rest.partition("?")
        if not scheme or not place:
            example = f"local:{text}" if text and ":" not in text else "local:/data/desk"
            refuse(f"is no address; write SCHEME:PLACE such as {example} or sim:lift?region=left")
        options: dict[str, str] = {}
        for name, value in _pairs(query):
            if accepted is not None and name not in accepted:
                refuse(
                    f"has an unknown option '{name}'; choose from {', '.join(accepted)}"
                    f"{did_you_mean(name, accepted)}"
                )
            if not value:
                refuse(f"gives option '{name}' no value; write {name}=VALUE")
            if name in options:
                refuse(f"gives option '{name}' twice; keep one")
            options[name] = unquote(value)
        return cls(text, scheme, unquote(place), options)

    def whole_number(self, option: str) -> int:
        """Return the value of `option`; 0 where it is not given.

        Raises:
            DataError: if it is no whole number.
        """
        value = self.options.get(option, "0")
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            raise DataError(
                f"dataset '{self.text}': {option}={value} is not a whole number; write {option}=10"
            )
        return int(value)


def split_joined(text: str) -> list[str]:
    """Return the addresses that `text` joins; itself alone where it joins none."""
    return [part.strip() for part in text.split(JOIN)]


def with_option(text: str, name: str, value: str) -> str:
    """Return the address with the option `name` set to `value`, in every part of it."""

    def changed(part: str) -> str:
        place, _, query = part.partition("?")
        options = {**dict(_pairs(query)), name: value}
        return f"{place}?{'&'.join(f'{key}={text}' for key, text in options.items())}"

    return JOIN.join(map(changed, split_joined(text)))


def check_disjoint(dataset: str, clients: Sequence[ClientPlan]) -> None:
    """Raise UsageError if a client trains on the evaluation dataset `dataset`.

    One address may serve both when both hold the same episodes out of training. Datasets that
    are alike under different addresses are found by preflight, which sees their episodes.
    """
    for client in clients:
        for used in split_joined(client.dataset):
            for scored in split_joined(dataset):
                if _trains_on(Address.parse(used), Address.parse(scored)):
                    raise UsageError(
                        f"dataset '{scored}' is used for training (client '{client.name}') and for "
                        f"evaluation; use another one, or {_remedy(scored)}"
                    )


def _trains_on(used: Address, scored: Address) -> bool:
    """Whether who trains on `used` has seen what is held out of `scored`, as far as texts tell."""
    if _episodes(used) != _episodes(scored):
        return False
    held_out = scored.whole_number(HELD_OUT)
    return held_out == 0 or held_out != used.whole_number(HELD_OUT)


def _episodes(address: Address) -> tuple[str, str, dict[str, str]]:
    """Return what two addresses of the same episodes have in common."""
    options = {name: value for name, value in address.options.items() if name != HELD_OUT}
    return address.scheme, address.place.rstrip("/"), options


def _remedy(scored: str) -> str:
    if scored.startswith("sim:"):
        return f"evaluate on '{with_option(scored, 'split', 'eval')}'"
    return f"write '{with_option(scored, HELD_OUT, '5')}' in both places"


def _pairs(query: str) -> list[tuple[str, str]]:
    """Return names and values of `query`, as written."""
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return [(name, value) for name, _, value in pairs]
