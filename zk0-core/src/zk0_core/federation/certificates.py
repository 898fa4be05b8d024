"""The federation's own certificate authority, the server's certificate, and the keys of nodes."""

import datetime
import hashlib
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zk0_core.errors import UsageError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

AUTHORITY_DAYS = 3650
SERVER_DAYS = 365
RENEW_DAYS = 60
"""A server's certificate is made anew when fewer days are left."""
BACKDATED = datetime.timedelta(minutes=5)
"""Clocks of nodes may be behind by so much."""


def write_private(path: Path, content: bytes) -> None:
    """Write `content` so that nobody but the owner can read it, at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    part.replace(path)


def ensure_authority(folder: Path) -> Path:
    """Return the authority's certificate in `folder`; it and its key are made if missing."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    certificate = folder / "ca.crt"
    if certificate.is_file():
        return certificate
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("zk0 federation")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(name, name, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(folder / "ca.key", _key_bytes(key))
    _write_certificate(certificate, made)
    return certificate


def ensure_server_certificate(
    folder: Path, names: Sequence[str], stem: str = "server", days: int | None = None
) -> Path:
    """Return a server's certificate in `folder`, with its key beside it: server.crt, server.key.

    It is made anew if it is missing, runs out soon, or lacks one of `names`.

    Args:
        folder: Where `ensure_authority` put the authority.
        names: Host names and addresses by which the server is reached.
        stem: Name of the two files.
        days: How long it holds when it is made; None for a year.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    path = folder / f"{stem}.crt"
    if path.is_file() and _still_good(path, names):
        return path
    authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    signer = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        _builder(_name("zk0 server"), authority.subject, key, days or SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
        .add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    write_private(path.with_suffix(".key"), _key_bytes(key))
    _write_certificate(path, made)
    return path


def fingerprint(certificate: Path | bytes) -> str:
    """Return the SHA-256 of a certificate, as 64 hexadecimal digits.

    Args:
        certificate: A PEM file, or what is in one.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    pem = certificate.read_bytes() if isinstance(certificate, Path) else certificate
    made = x509.load_pem_x509_certificate(pem)
    return hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()


def ensure_node_key(path: Path) -> str:
    """Return the public key of the node key at `path`, which is made if it is not there.

    Returns:
        One line as OpenSSH writes it, without a comment: `ecdsa-sha2-nistp384 AAAA…`.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    if not path.is_file():
        key = ec.generate_private_key(ec.SECP384R1())
        write_private(
            path,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            ),
        )
    public = load_node_key(path).public_key()
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return line.decode()


def load_node_key(path: Path) -> "EllipticCurvePrivateKey":
    """Return the node key at `path`.

    Raises:
        UsageError: if it is no such key.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_ssh_private_key(path.read_bytes(), None)
    except ValueError as problem:
        raise UsageError(f"{path} is no node key: {problem}; remove it and enroll again") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UsageError(f"{path} is no elliptic-curve key; remove it and enroll again")
    return key


def public_key_bytes(line: str) -> bytes:
    """Return the public key in `line`, `ecdsa-sha2-nistp384 AAAA…`, in the form Flower keeps.

    Raises:
        UsageError: if it is no such key.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_ssh_public_key(line.encode())
        good = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name.startswith("secp")
    except ValueError:
        good = False
    if not good:
        raise UsageError(
            f"'{line[:40]}' is no node's public key; copy the whole line that "
            "zk0 client enroll printed"
        )
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def key_id(public_key: bytes) -> str:
    """Return a short name of a public key, for people: the first 16 digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def _still_good(path: Path, names: Sequence[str]) -> bool:
    from cryptography import x509

    made = x509.load_pem_x509_certificate(path.read_bytes())
    left = made.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    alternatives = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    there = {str(entry.value) for entry in alternatives}
    return left > datetime.timedelta(days=RENEW_DAYS) and set(names) <= there


def _builder(
    subject: "x509.Name", issuer: "x509.Name", key: "EllipticCurvePrivateKey", days: int
) -> "x509.CertificateBuilder":
    from cryptography import x509

    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _name(common: str) -> "x509.Name":
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, common)])


def _general_name(name: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_bytes(key: "EllipticCurvePrivateKey") -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_certificate(path: Path, made: "x509.Certificate") -> None:
    from cryptography.hazmat.primitives import serialization

    from zk0_core.files import write_bytes

    write_bytes(path, made.public_bytes(serialization.Encoding.PEM))
