"""Dataset addresses as plans see them: scheme, client names made from them, overlaps.

What an address means in full is its loader's business.
"""

import re
from collections.abc import Sequence

from zk0_core.errors import UsageError
from zk0_core.settings import ClientSetting

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What a client may be called: its name becomes the name of files and folders."""

RESERVED = ("server", "worker")
"""Names that log files have already."""

HELD_OUT = "eval_episodes"
"""Option of an address: how many episodes, the last ones, are held out of training."""


def scheme_of(uri: str, who: str, schemes: Sequence[str]) -> str:
    """Return the scheme of the address `uri` that `who` uses.

    Raises:
        UsageError: if it has none.
    """
    scheme, colon, rest = uri.partition(":")
    if colon and scheme and rest:
        return scheme
    raise UsageError(
        f"dataset '{uri}' of {who} is no address; write SCHEME:PLACE such as local:{uri or '/data'}"
        f" or sim:lift?region=left; the schemes are {', '.join(schemes)}"
    )


def options_of(uri: str) -> tuple[str, dict[str, str]]:
    """Return an address without its options, and its options."""
    place, _, query = uri.partition("?")
    pairs = (part.partition("=") for part in query.split("&") if part)
    return place, {name: value for name, _, value in pairs}


def with_option(uri: str, name: str, value: str) -> str:
    """Return the address with the option `name` set to `value`."""
    place, options = options_of(uri)
    query = "&".join(f"{key}={text}" for key, text in {**options, name: value}.items())
    return f"{place}?{query}"


def client_names(clients: Sequence[ClientSetting]) -> list[str]:
    """Return a name for each client: the given one, or one made from its address, numbered.

    Raises:
        UsageError: if a given name is taken twice, or is no name for a folder.
    """
    given = [client.name for client in clients if client.name]
    for name in given:
        if not NAME.fullmatch(name) or name.lower() in RESERVED:
            raise UsageError(
                f"client name '{name}' cannot be a file's name; use letters, digits, '-', '_' and "
                f"'.', and none of {', '.join(RESERVED)}"
            )
        # Without regard to case, since some file systems have none.
        if len([other for other in given if other.lower() == name.lower()]) > 1:
            datasets = " and ".join(c.dataset for c in clients if c.name.lower() == name.lower())
            raise UsageError(f"two clients have the name '{name}': {datasets}; rename one")
    taken = {name.lower() for name in (*given, *RESERVED)}
    names = []
    for client in clients:
        name = client.name or _numbered(name_from(client.dataset), taken)
        taken.add(name.lower())
        names.append(name)
    return names


def name_from(uri: str) -> str:
    """Return a client name for the dataset at `uri`: the last part of its path, or its region."""
    place, options = options_of(uri)
    path = place.rpartition(":")[2].partition("@")[0].rstrip("/")
    name = options.get("region") or path.rsplit("/", 1)[-1]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")
    return name or "client"


def check_disjoint(dataset: str, clients: Sequence[ClientSetting]) -> None:
    """Raise UsageError if a client trains on the evaluation dataset `dataset`.

    One address may serve both when both hold the same episodes out of training. Datasets that
    are alike under different addresses are found by preflight, which sees their episodes.
    """
    for client in clients:
        if _key(client.dataset) != _key(dataset):
            continue
        held_out = options_of(dataset)[1].get(HELD_OUT, "0")
        if held_out in ("", "0") or held_out != options_of(client.dataset)[1].get(HELD_OUT):
            name = client.name or name_from(dataset)
            if dataset.startswith("sim:"):
                fix = f"evaluate on '{with_option(dataset, 'split', 'eval')}'"
            else:
                fix = f"write '{with_option(dataset, HELD_OUT, '5')}' in both places"
            raise UsageError(
                f"dataset '{dataset}' is used for training (client '{name}') and for evaluation; "
                f"use another one, or {fix}"
            )


def _numbered(name: str, taken: set[str]) -> str:
    if name.lower() not in taken:
        return name
    number = 2
    while f"{name}-{number}".lower() in taken:
        number += 1
    return f"{name}-{number}"


def _key(uri: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return what two addresses of the same episodes have in common."""
    place, options = options_of(uri)
    options.pop(HELD_OUT, None)
    return place.rstrip("/"), tuple(sorted(options.items()))
