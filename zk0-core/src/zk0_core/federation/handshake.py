"""The first contact of a node with its server: what is wrong is told in one line, with the fix."""

import http.client
import json
import socket
import ssl
import time
from datetime import UTC, datetime
from typing import Any

import attrs

from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation.about import signed
from zk0_core.federation.certificates import (
    ensure_node_key,
    fingerprint,
    load_node_key,
    public_key_bytes,
)
from zk0_core.federation.connecting import CONNECT_SECONDS, connected, place
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.front import AUTHORITY, HELLO, JOIN
from zk0_core.federation.insecure import PLAIN, check_loopback
from zk0_core.federation.records import DatasetSummary
from zk0_core.wire.orders import WIRE_VERSION

CLOCK_SECONDS = 5.0
"""The server refuses nodes whose clocks are off by more: each request is signed with the time."""
EXPIRED, NOT_YET, NAME_MISMATCH, ADDRESS_MISMATCH = 10, 9, 62, 64
"""OpenSSL's numbers for what is wrong with a certificate."""


class NotYet(Zk0Error):
    """Something that may come right by itself: trying again is no waste."""


class Connected(NotYet):
    """A node with this key is there already."""


@attrs.frozen
class ServerAddress:
    """Where a server is reached."""

    host: str
    port: int
    insecure: bool = False
    """Whether it has no TLS; it is on this machine then."""

    @classmethod
    def parse(cls, text: str, source: str = "--server") -> "ServerAddress":
        """Take HOST:PORT apart; an IPv6 address is written in brackets.

        Args:
            text: With http:// before it, for a server without TLS.
            source: Who gave it.

        Raises:
            UsageError: if it is none, or has no TLS and is not on this machine.
        """
        host, colon, port = text.removeprefix(PLAIN).rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not port.isdecimal() or "/" in host or int(port) > 65535:
            raise UsageError(
                f"server address '{text}' is not HOST:PORT; write it as zk0 server start shows it, "
                "such as arms.example.org:9443"
            )
        if insecure := text.startswith(PLAIN):
            check_loopback(host, source, "leave --insecure out and name the server's authority")
        return cls(host, int(port), insecure)

    @property
    def place(self) -> str:
        """HOST:PORT."""
        return place(self.host, self.port)

    def __str__(self) -> str:
        return PLAIN + self.place if self.insecure else self.place


def fetch_authority(address: ServerAddress, wanted: str) -> bytes:
    """Return the certificate of the server's authority, once it has the fingerprint `wanted`.

    Raises:
        UsageError: if it has another one.
        Zk0Error: if the server cannot be reached.
    """
    # Whoever answers may be anybody: what it sends counts only by its fingerprint.
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    pem = str(_ask(address, anybody, AUTHORITY, {})["certificate"]).encode()
    if (found := fingerprint(pem)) != wanted.lower().replace(":", ""):
        raise UsageError(
            f"the authority of {address} has the fingerprint {found}, not {wanted}; check the "
            "address, and ask the server's admin for what zk0 server status shows"
        )
    return pem


def join(address: ServerAddress, folder: NodeFolder, name: str, token: str) -> None:
    """Take up an invitation.

    Raises:
        UsageError: if the server refuses; the text is its own.
    """
    key = ensure_node_key(folder.key)
    _ask(
        address, _trusting(folder, address), JOIN, {"token": token, "name": name, "public_key": key}
    )


def check_server(
    address: ServerAddress, folder: NodeFolder, name: str, about: DatasetSummary | None = None
) -> None:
    """Return if this node may connect now.

    Args:
        address: The server's.
        folder: The node's, with its key and the authority's certificate.
        name: What the node calls itself.
        about: What the admin is told of its dataset, once that is known.

    Raises:
        NotYet: if it may be able to in a while.
        Zk0Error: if something is to be put right first; the text says what.
    """
    key = ensure_node_key(folder.key)
    asked: dict[str, Any] = {"public_key": public_key_bytes(key).decode()}
    if about is not None:
        asked |= signed(about, load_node_key(folder.key))
    before = time.time()
    answer = _ask(address, _trusting(folder, address), HELLO, asked)
    # The answer was written at some time between the two: a slow one says nothing of clocks.
    theirs = float(answer["time"])
    off = max(before - theirs, 0.0) + min(time.time() - theirs, 0.0)
    if abs(off) > CLOCK_SECONDS:
        where = "ahead of" if off > 0 else "behind"
        raise Zk0Error(
            f"the clock of this machine is {_duration(abs(off))} {where} the server's; set it "
            "right, for example with sudo timedatectl set-ntp true"
        )
    if answer["wire"] != WIRE_VERSION:
        raise UsageError(
            f"the server's messages have version {answer['wire']}, this node's {WIRE_VERSION}; "
            "install the same version of zk0 on both"
        )
    if answer["name"] is None:
        raise NotYet(
            f"the server does not know this node's key; its admin lets it in with: "
            f"zk0 server nodes approve {name} '{key}'"
        )
    if answer["name"] != name:
        raise UsageError(
            f"the server knows this key as '{answer['name']}', not '{name}'; enroll again with "
            f"--node {answer['name']}, or have the admin remove that one: zk0 server nodes remove "
            f"{answer['name']}"
        )
    if answer["online"]:
        raise Connected(
            "a node with this key is connected already: every node needs a key of its own, so "
            "enroll each in its own folder (ZK0_HOME); if this node was killed just now, the "
            "server forgets it within a minute: wait, or start with --retry"
        )


def _trusting(folder: NodeFolder, address: ServerAddress) -> ssl.SSLContext | None:
    """Return what the server's certificate is checked with; None where it has none."""
    if address.insecure:
        return None
    try:
        return ssl.create_default_context(cafile=str(folder.ca))
    except FileNotFoundError:
        raise UsageError(
            f"{folder.ca} is not there; enroll first: zk0 client enroll --server HOST:PORT "
            "--authority FINGERPRINT --node NAME"
        ) from None


def _ask(
    address: ServerAddress, context: ssl.SSLContext | None, path: str, asked: dict[str, Any]
) -> dict[str, Any]:
    """Return what the server answers to `asked`; `context` is None where it has no TLS."""
    connection = http.client.HTTPConnection(address.host, address.port)
    try:
        connection.sock = connected(address.host, address.port, context)
        connection.request("POST", path, json.dumps(asked), {"content-type": "application/json"})
        response = connection.getresponse()
        content = response.read(2**20)
    except ssl.SSLCertVerificationError as problem:
        raise _certificate_problem(address, problem) from None
    except socket.gaierror:
        raise Zk0Error(f"there is no host '{address.host}'; check the server's address") from None
    except ConnectionRefusedError:
        raise NotYet(
            f"nobody listens at {address}; check the address and the port, and that the server "
            "runs: zk0 server status"
        ) from None
    except TimeoutError:
        raise NotYet(
            f"{address} does not answer within {CONNECT_SECONDS:.0f} s; check the address, and "
            "that firewalls let it through"
        ) from None
    except (ssl.SSLError, http.client.HTTPException):
        raise _no_server(address) from None
    except OSError as problem:
        raise NotYet(f"cannot reach {address}: {problem.strerror or problem}") from None
    finally:
        connection.close()
    return _answer(address, response.status, content)


def _answer(address: ServerAddress, status: int, content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
        if not isinstance(answer, dict):
            raise ValueError("no table")
    except ValueError:
        raise _no_server(address) from None
    if status == 503:
        raise NotYet(f"{address}: {answer.get('error', 'the server is not ready')}")
    if status != 200:
        raise UsageError(f"{address} refuses: {answer.get('error', status)}")
    return answer


def _no_server(address: ServerAddress) -> Zk0Error:
    without = ", and that the server was started with --insecure" if address.insecure else ""
    return Zk0Error(f"what listens at {address} is no zk0 server; check the port{without}")


def _certificate_problem(address: ServerAddress, problem: ssl.SSLCertVerificationError) -> Zk0Error:
    here = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    if problem.verify_code == EXPIRED:
        return Zk0Error(
            f"the certificate of {address} has expired, if this machine's clock ({here}) is right; "
            "zk0 server status, on the server, says how to have a new one"
        )
    if problem.verify_code == NOT_YET:
        return Zk0Error(
            f"the certificate of {address} does not hold yet by this machine's clock ({here}); "
            "set the clock right, for example with sudo timedatectl set-ntp true"
        )
    if problem.verify_code in (NAME_MISMATCH, ADDRESS_MISMATCH):
        return Zk0Error(
            f"the certificate of {address.host} is for another name; use the address that "
            f"zk0 server status shows, or have the admin add this one: zk0 server start --address "
            f"{address.host}"
        )
    return Zk0Error(
        f"the certificate of {address} is not from the authority that this node trusts "
        f"({problem.verify_message}); check the address, or enroll again with the authority that "
        "zk0 server status shows"
    )


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
