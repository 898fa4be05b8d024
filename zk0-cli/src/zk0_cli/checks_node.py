"""What `zk0 doctor` looks at for somebody who has a dataset, or a node of a federation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zk0_cli.checks import CheckResult
from zk0_core.errors import Zk0Error

if TYPE_CHECKING:
    from zk0_core.federation.folder import ServerFolder


def check_datasets(uris: Sequence[str]) -> list[CheckResult]:
    """Whether the datasets at `uris` can be trained on, as far as that shows without decoding."""
    from zk0_core.addresses import split_joined
    from zk0_core.datacheck import check

    report = check.check_datasets(uris, decode=False) if uris else check.CheckReport((), (), {})
    results = []
    for uri in dict.fromkeys(uris):
        # A finding is about one of the datasets that an address joins.
        about = (uri, *split_joined(uri))
        errors = [entry for entry in report.findings if entry.dataset in about and entry.error]
        if errors:
            results.append(CheckResult(uri, False, errors[0].problem, errors[0].fix))
            continue
        (found,) = (entry for entry in report.datasets if entry.uri == uri)
        results.append(
            CheckResult(uri, True, f"{found.episodes} episodes, {found.frames:,} frames")
        )
    return results


def check_certificates() -> list[CheckResult]:
    """Whether the certificates of this machine's servers hold for a while."""
    from zk0_core.federation.folder import ServerFolder, home

    folders = [ServerFolder(path.parent) for path in home().glob("*/server/settings.json")]
    found = map(_check_certificate, sorted(folders, key=lambda folder: folder.name))
    return [result for result in found if result is not None]


def _check_certificate(folder: "ServerFolder") -> CheckResult | None:
    from zk0_core.federation.authority import end_of, warning
    from zk0_core.federation.server import process_of, settings_of

    name = f"certificate, {folder.name}"
    try:
        settings = settings_of(folder)
        # The federation's own is made anew at a start, if need be: it counts while a server runs.
        if settings.insecure or not (settings.certificate or process_of(folder)):
            return None
        if text := warning(folder, settings):
            found, _, fix = text.partition("; ")
            return CheckResult(name, False, found, fix)
        return CheckResult(name, True, f"holds until {end_of(folder, settings):%Y-%m-%d}")
    except Zk0Error as problem:
        return _failed(name, problem)


def check_servers() -> list[CheckResult]:
    """Whether this machine's nodes reach their servers, and their clocks agree."""
    from zk0_core.federation.folder import home

    names = sorted(path.parts[-3] for path in home().glob("*/client/settings.json"))
    return [_check_server(name) for name in names]


def _check_server(federation: str) -> CheckResult:
    from zk0_core.federation.folder import NodeFolder
    from zk0_core.federation.handshake import Connected, ServerAddress, check_server
    from zk0_core.federation.node_status import settings_of, status_of

    folder = NodeFolder.of(federation)
    name = f"server, {federation}"
    try:
        settings = settings_of(folder)
        check_server(
            ServerAddress.parse(settings.server, str(folder.settings)), folder, settings.name
        )
    except Connected as problem:
        if status_of(folder) is not None:
            return CheckResult(name, True, f"{settings.server}, connected as {settings.name}")
        return _failed(name, problem)
    except Zk0Error as problem:
        return _failed(name, problem)
    return CheckResult(name, True, f"{settings.server}, knows {settings.name}")


def _failed(name: str, problem: Zk0Error) -> CheckResult:
    found, _, fix = str(problem).partition("; ")
    return CheckResult(name, False, found, fix)
