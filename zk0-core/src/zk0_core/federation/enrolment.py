"""Who takes part in a federation: keys that the admin approves, and invitations."""

import base64
import hashlib
import json
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from zk0_core.client_names import NAME, RESERVED
from zk0_core.errors import UsageError
from zk0_core.federation.certificates import key_id, public_key_bytes
from zk0_core.federation.folder import ServerFolder
from zk0_core.files import write_json

if TYPE_CHECKING:
    from zk0_core.engines._flower_control import Control, KnownNode

INVITATION = "zk0-invitation:"
"""What every invitation starts with."""


def check_node_name(name: str) -> None:
    """Raise UsageError if `name` cannot be a node's."""
    if not NAME.fullmatch(name) or name.lower() in RESERVED:
        raise UsageError(
            f"node name '{name}' cannot be a file's name; use letters, digits, '-', '_' and '.', "
            f"and none of {', '.join(RESERVED)}"
        )


def approve(control: "Control", name: str, public_key: str) -> None:
    """Let the owner of a key take part.

    Args:
        control: The SuperLink.
        name: What the node is called.
        public_key: The line that `zk0 client enroll` printed.

    Raises:
        UsageError: if the name or the key is taken, or is none.
    """
    check_node_name(name)
    key = public_key_bytes(public_key)
    for node in control.nodes():
        if node.public_key == key:
            raise UsageError(f"key {key_id(key)} is approved already, as '{node.name}'")
        if node.name.lower() == name.lower():
            raise UsageError(
                f"there is a node '{node.name}' with key {key_id(node.public_key)}; choose another "
                f"name, or remove that one first: zk0 server nodes remove {node.name}"
            )
    control.register(name, key)


def find_node(control: "Control", name: str) -> "KnownNode":
    """Return the approved node `name`.

    Raises:
        UsageError: if there is none.
    """
    nodes = control.nodes()
    for node in nodes:
        if node.name == name:
            return node
    names = ", ".join(node.name for node in nodes) or "none is approved yet"
    raise UsageError(f"there is no node '{name}'; choose from: {names}")


def invite(folder: ServerFolder, address: str, authority: str | None, hours: float) -> str:
    """Return an invitation: one string that lets one node join within `hours`.

    Args:
        folder: The server's folder, which keeps the invitation's hash.
        address: Where nodes reach the server, HOST:PORT.
        authority: What nodes are to trust; None where there is no TLS.
        hours: How long it holds.
    """
    token = secrets.token_urlsafe(24)
    with _locked(folder):
        kept = _kept(folder)
        kept[_hash(token)] = time.time() + 3600 * hours
        write_json(folder.invitations, kept)
    content = json.dumps([address, authority or "", token], separators=(",", ":"))
    return INVITATION + base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def read_invitation(text: str) -> tuple[str, str, str]:
    """Return address, what to trust, and token of an invitation.

    Raises:
        UsageError: if `text` is none.
    """
    coded = text.strip().removeprefix(INVITATION)
    try:
        parts = json.loads(base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)))
        address, print_, token = parts
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("no texts")
    except ValueError:
        raise UsageError(
            f"'{text[:30]}…' is no invitation; copy the whole string that zk0 server invite printed"
        ) from None
    return address, print_, token


def take_up(
    folder: ServerFolder, control: "Control", *, token: str, name: str, public_key: str
) -> None:
    """Approve a node that has an invitation, which is used up by that.

    A node that was approved by this name may ask again: it started anew, or heard no answer.

    Raises:
        UsageError: if there is no such invitation, it has run out, or name or key is taken.
    """
    with _locked(folder):
        kept = _kept(folder)
        if not _is_approved(control, name, public_key):
            if _hash(token) not in kept:
                raise UsageError(
                    "this invitation has run out or was used; ask for another: zk0 server invite"
                )
            approve(control, name, public_key)
        if kept.pop(_hash(token), None) is not None:
            write_json(folder.invitations, kept)


def _is_approved(control: "Control", name: str, public_key: str) -> bool:
    key = public_key_bytes(public_key)
    return any(node.name == name and node.public_key == key for node in control.nodes())


def _kept(folder: ServerFolder) -> dict[str, float]:
    """Return the hashes of the invitations that still hold, and until when."""
    if not folder.invitations.is_file():
        return {}
    kept: dict[str, float] = json.loads(folder.invitations.read_text(encoding="utf-8"))
    return {token: until for token, until in kept.items() if until > time.time()}


def _locked(folder: ServerFolder) -> FileLock:
    path: Path = folder.invitations
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path.with_suffix(".lock"))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
