"""What clients are called: the name that is given, or one made from the dataset's address."""

import re
from collections.abc import Sequence

from zk0_core.addresses import Address, split_joined
from zk0_core.errors import UsageError
from zk0_core.settings import ClientSetting

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What a client may be called: its name becomes the name of files and folders."""

RESERVED = ("server", "worker", "node", "supernode", "start")
"""Names that log files have already: those of runs, and of nodes."""


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
        name = client.name or _numbered(name_from(client), taken)
        taken.add(name.lower())
        names.append(name)
    return names


def name_from(client: ClientSetting) -> str:
    """Return a name for `client` from its dataset: the last part of the path, or the region.

    Raises:
        DataError: if the dataset is no address.
    """
    first, *more = split_joined(client.dataset)
    address = Address.parse(first, source=client.origin)
    path = address.place.partition("@")[0].rstrip("/")
    name = address.options.get("region") or path.rsplit("/", 1)[-1]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "client"
    return f"{name}-and-{len(more)}-more" if more else name


def _numbered(name: str, taken: set[str]) -> str:
    if name.lower() not in taken:
        return name
    number = 2
    while f"{name}-{number}".lower() in taken:
        number += 1
    return f"{name}-{number}"
