"""What nodes see: the federation's own certificate or one from elsewhere, and what they trust."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from zk0_core.errors import UsageError
from zk0_core.federation.certificates import ensure_server_certificate, fingerprint
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.insecure import LOOPBACK_HOSTS
from zk0_core.federation.records import ServerSettings

if TYPE_CHECKING:
    from cryptography import x509

SYSTEM = "system"
"""The authority of a certificate whose root is not at hand: those that browsers trust."""
ANYWHERE = ("0.0.0.0", "::")
"""Hosts that stand for every address of this machine."""
WARN = timedelta(days=30)
"""A certificate that ends sooner is warned of."""


def ensure_shown(folder: ServerFolder, settings: ServerSettings) -> tuple[Path, Path]:
    """Return the files of the certificate that nodes see, and of its key.

    The federation's own is made if it is missing, ends soon, or lacks a name of this machine.
    """
    if settings.certificate:
        return shown(folder, settings)
    names = dict.fromkeys((*LOOPBACK_HOSTS, socket.gethostname(), *settings.names))
    if settings.host not in ANYWHERE:
        names[settings.host] = None
    certificate = ensure_server_certificate(folder.certificates, list(names))
    return certificate, certificate.with_suffix(".key")


def shown(folder: ServerFolder, settings: ServerSettings) -> tuple[Path, Path]:
    """Return the files of the certificate that nodes see, and of its key, as they are."""
    if settings.certificate:
        return Path(settings.certificate), Path(settings.key)
    return folder.certificates / "server.crt", folder.certificates / "server.key"


def root_of(folder: ServerFolder, settings: ServerSettings) -> bytes | None:
    """Return the certificate, in PEM form, by which nodes can tell the server.

    It is the federation's own authority, or the root at the end of a certificate from elsewhere;
    None if that has none.

    Raises:
        UsageError: if the certificate from elsewhere cannot be read.
    """
    from cryptography.hazmat.primitives import serialization

    if not settings.certificate:
        return folder.ca.read_bytes()
    last = read_chain(Path(settings.certificate))[-1]
    return last.public_bytes(serialization.Encoding.PEM) if _signed_itself(last) else None


def authority_of(folder: ServerFolder, settings: ServerSettings) -> str | None:
    """Return what nodes are told to trust: the fingerprint of `root_of`, or "system".

    None where there is no TLS.

    Raises:
        UsageError: see `root_of`.
    """
    if settings.insecure:
        return None
    root = root_of(folder, settings)
    return SYSTEM if root is None else fingerprint(root)


def read_chain(path: Path) -> "list[x509.Certificate]":
    """Return the certificates in a PEM file, the server's own first.

    Raises:
        UsageError: if there are none, or the file cannot be read.
    """
    from cryptography import x509

    instead = "name another with zk0 server start --cert FILE --key FILE, or none with --no-cert"
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as problem:
        raise UsageError(
            f"certificate {path} cannot be read: {problem.strerror}; {instead}"
        ) from None
    except ValueError:
        raise UsageError(f"{path} is no certificate in PEM form; {instead}") from None


def end_of(folder: ServerFolder, settings: ServerSettings) -> datetime:
    """Return when the certificate that nodes see ends, or the first of those that vouch for it.

    Raises:
        UsageError: see `read_chain`.
    """
    chain = read_chain(shown(folder, settings)[0])
    return min(certificate.not_valid_after_utc for certificate in chain)


def warning(folder: ServerFolder, settings: ServerSettings) -> str | None:
    """Return what is wrong with the end of the certificate that nodes see, with the fix.

    None while it has more than 30 days.

    Raises:
        UsageError: see `read_chain`.
    """
    end = end_of(folder, settings)
    left = end - datetime.now(UTC)
    if left > WARN:
        return None
    certificate, key = shown(folder, settings)
    when = f"in {left.days} days" if left > timedelta() else "and so has ended"
    # Our own is made anew long before: something keeps the server from it.
    fix = (
        f"put a new one there, and its key into {key}: the server takes them up by itself"
        if settings.certificate
        else "zk0 server logs says why it was not made anew; then zk0 server stop, zk0 server start"
    )
    return f"{certificate} holds until {end:%Y-%m-%d}, {when}; {fix}"


def _signed_itself(certificate: "x509.Certificate") -> bool:
    """Whether it is a root, as far as that can be told."""
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
