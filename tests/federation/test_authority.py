"""What nodes are told to trust, by the certificate that they see, and what is said of its end."""

import datetime
from pathlib import Path

import pytest

from tests.foreign import ForeignAuthority
from zk0_core.errors import UsageError
from zk0_core.federation import certificates
from zk0_core.federation.authority import authority_of, end_of, ensure_shown, warning
from zk0_core.federation.certificates import fingerprint
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.records import ServerSettings

OWN = ServerSettings(host="127.0.0.1")


def using(certificate: Path, key: Path) -> ServerSettings:
    return ServerSettings(host="127.0.0.1", certificate=str(certificate), key=str(key))


def test_the_federations_own(folder: ServerFolder) -> None:
    assert authority_of(folder, OWN) == fingerprint(folder.ca)
    assert authority_of(folder, ServerSettings(insecure=True)) is None


def test_the_root_at_the_end_of_one_from_elsewhere(
    folder: ServerFolder, foreign: ForeignAuthority
) -> None:
    assert authority_of(folder, using(*foreign.sign())) == fingerprint(foreign.root)


def test_one_from_elsewhere_without_its_root(
    folder: ServerFolder, foreign: ForeignAuthority
) -> None:
    assert authority_of(folder, using(*foreign.sign(with_root=False))) == "system"


def test_what_is_no_certificate(folder: ServerFolder, tmp_path: Path) -> None:
    fix = "name another with zk0 server start --cert FILE --key FILE, or none with --no-cert"
    path = tmp_path / "a.pem"
    with pytest.raises(UsageError) as missing:
        authority_of(folder, using(path, path))
    assert str(missing.value) == (
        f"certificate {path} cannot be read: No such file or directory; {fix}"
    )
    path.write_text("nonsense")
    with pytest.raises(UsageError) as nonsense:
        authority_of(folder, using(path, path))
    assert str(nonsense.value) == f"{path} is no certificate in PEM form; {fix}"


@pytest.mark.parametrize(("days", "when"), [(20.5, "in 20 days"), (-1, "and so has ended")])
def test_one_from_elsewhere_that_ends_soon(
    folder: ServerFolder, foreign: ForeignAuthority, days: float, when: str
) -> None:
    certificate, key = foreign.sign(days=days)
    settings = using(certificate, key)
    assert warning(folder, settings) == (
        f"{certificate} holds until {end_of(folder, settings):%Y-%m-%d}, {when}; put a new one "
        f"there, and its key into {key}: the server takes them up by itself"
    )
    foreign.sign(days=31)
    assert warning(folder, settings) is None


def test_its_own_that_was_not_made_anew(
    folder: ServerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "SERVER_DAYS", 10)
    certificate, _ = ensure_shown(folder, OWN)
    assert warning(folder, OWN) == (
        f"{certificate} holds until {end_of(folder, OWN):%Y-%m-%d}, in 9 days; zk0 server logs "
        "says why it was not made anew; then zk0 server stop, zk0 server start"
    )


def test_those_that_vouch_for_it_end_too(folder: ServerFolder, foreign: ForeignAuthority) -> None:
    ends = end_of(folder, using(*foreign.sign(days=2000)))
    left = ends - datetime.datetime.now(datetime.UTC)
    assert 800 < left.days < 1000
