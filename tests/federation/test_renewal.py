"""The certificate that nodes see is made anew, or taken up anew, while the server runs."""

import pytest

from tests.foreign import ForeignAuthority
from zk0_core.federation import certificates
from zk0_core.federation.authority import end_of, ensure_shown, warning
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.records import ServerSettings
from zk0_core.federation.renewal import Renewal

OWN = ServerSettings(host="127.0.0.1")


def test_its_own_is_made_anew_before_it_ends(
    folder: ServerFolder, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    monkeypatch.setattr(certificates, "SERVER_DAYS", 59)
    certificate, _ = ensure_shown(folder, OWN)
    before = certificate.read_bytes()
    monkeypatch.undo()
    renewal = Renewal(folder, OWN)
    assert renewal.look()
    assert certificate.read_bytes() != before
    assert warning(folder, OWN) is None
    assert logged == [
        f"another certificate is in {certificate}, and holds until {end_of(folder, OWN):%Y-%m-%d}"
    ]
    assert not renewal.look()


def test_one_that_lasts_stays(folder: ServerFolder, logged: list[str]) -> None:
    ensure_shown(folder, OWN)
    assert not Renewal(folder, OWN).look()
    assert logged == []


def test_its_own_that_cannot_be_made_anew(
    folder: ServerFolder, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    monkeypatch.setattr(certificates, "SERVER_DAYS", 10)
    ensure_shown(folder, OWN)
    (folder.certificates / "ca.key").unlink()
    renewal = Renewal(folder, OWN)
    assert not renewal.look() and not renewal.look()
    assert logged == [
        "the certificate could not be made anew: [Errno 2] No such file or directory: "
        f"'{folder.certificates}/ca.key'",
        f"the certificate {warning(folder, OWN)}",
    ]


def test_another_one_from_elsewhere_is_taken_up_once_its_key_fits(
    folder: ServerFolder, foreign: ForeignAuthority, logged: list[str]
) -> None:
    certificate, key = foreign.sign(days=20.5)
    settings = ServerSettings(certificate=str(certificate), key=str(key))
    renewal = Renewal(folder, settings)
    assert not renewal.look()
    assert logged.pop() == f"the certificate {warning(folder, settings)}"

    old_key = key.read_bytes()
    foreign.sign(days=90)
    new_key = key.read_bytes()
    key.write_bytes(old_key)
    assert not renewal.look() and not renewal.look()
    (refused,) = logged
    assert refused.startswith(
        f"{certificate} and {key} cannot be used, the certificate before stays: "
    )
    key.write_bytes(new_key)
    assert renewal.look()
    assert not renewal.look()
