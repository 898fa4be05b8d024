"""`zk0 server start`: the server of a federation, in the background or in this terminal."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from zk0_cli.server import echo_address, name_option
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation.folder import ServerFolder

if TYPE_CHECKING:
    from zk0_core.federation.records import ServerSettings

START_SECONDS = 120.0


@click.command(
    "start",
    short_help="Start the server, in the background.",
    epilog="Example: zk0 server start --name arms --address arms.example.org",
)
@name_option
@click.option("--host", metavar="ADDRESS", help="Listen on this address.  [default: 0.0.0.0]")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="Listen on this port.  [default: 9443]",
)
@click.option(
    "--address",
    "names",
    metavar="HOST",
    multiple=True,
    help="Name or address by which nodes reach this machine; the first one is what they are told.",
)
@click.option("--no-address", is_flag=True, help="Forget --address of an earlier start.")
@click.option(
    "--cert",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A certificate from elsewhere for what listens outside, with those that vouch for it.",
)
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="The key of --cert.")
@click.option("--no-cert", is_flag=True, help="The federation's own certificate again.")
@click.option(
    "--front",
    type=click.Choice(["auto", "nginx", "built-in"]),
    help="What listens outside; auto: nginx where it is installed.  [default: auto]",
)
@click.option(
    "--insecure/--tls",
    default=None,
    help="Without TLS, for nodes of this machine and tunnels to it alone.  [default: tls]",
)
@click.option(
    "--min-clients", type=click.IntRange(1), metavar="N", help="Nodes that an --auto session needs."
)
@click.option(
    "--auto",
    metavar="RUNFILE",
    type=click.Path(path_type=Path),
    help="Start a session with this run file whenever --min-clients nodes are there.",
)
@click.option(
    "--round-timeout",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="After this, a session's round goes on without who has not answered; 0: it waits.",
)
@click.option(
    "--afresh", is_flag=True, help="Start the next session from the policy's own weights."
)
@click.option("--no-auto", is_flag=True, help="Start no sessions any more.")
@click.option("--foreground", is_flag=True, help="Stay in this terminal, as services do.")
def start(
    name: str,
    host: str | None,
    port: int | None,
    names: tuple[str, ...],
    no_address: bool,
    cert: Path | None,
    key: Path | None,
    no_cert: bool,
    front: str | None,
    insecure: bool | None,
    min_clients: int | None,
    auto: Path | None,
    round_timeout: float | None,
    afresh: bool,
    no_auto: bool,
    foreground: bool,
) -> None:
    """Start the server of a federation; what was asked for once is kept for the next start.

    The first start makes a certificate authority of its own, and keys, in one folder. Only what
    nodes need listens outside; everything else is reachable from this machine alone.
    """
    from zk0_core.federation import nginx
    from zk0_core.federation.authority import read_chain
    from zk0_core.federation.insecure import LOOPBACK
    from zk0_core.federation.records import ServerSettings, read, write
    from zk0_core.federation.server import check_port, process_of, serve

    folder = ServerFolder.of(name)
    if process_of(folder) is not None:
        raise UsageError(f"the server of '{name}' runs already; zk0 server stop --name {name}")
    if (cert is None) != (key is None):
        raise UsageError("--cert and --key go together; give both")
    _check_one("--address", names[0] if names else None, "--no-address", no_address)
    _check_one("--cert", cert, "--no-cert", no_cert)
    _check_one("--auto", auto, "--no-auto", no_auto)
    if auto is not None and min_clients is None:
        raise UsageError("--auto needs --min-clients K: how many nodes a session starts with")
    if afresh and no_auto:
        raise UsageError("--afresh is for sessions, and --no-auto ends them; keep one")
    given: dict[str, Any] = {
        "host": host,
        "port": port,
        "names": () if no_address else names or None,
        "front": front,
        "insecure": insecure,
        "min_clients": min_clients,
        "round_seconds": round_timeout,
    }
    if cert is not None and key is not None:
        given |= {"certificate": _file(cert, "--cert"), "key": _file(key, "--key")}
        read_chain(cert)
    if no_cert:
        given |= {"certificate": "", "key": ""}
    if auto is not None or no_auto:
        given |= {"auto": _plan(auto) if auto else ""}
    before = read(folder.settings, ServerSettings)
    if before is None:
        before = ServerSettings(host=LOOPBACK) if insecure else ServerSettings()
    changes = {field: value for field, value in given.items() if value is not None}
    settings = attrs.evolve(before, **changes)
    if afresh:
        if not settings.auto:
            raise UsageError("--afresh is for sessions; add --auto RUNFILE, which starts them")
        settings = attrs.evolve(settings, series=settings.series + 1)
    if settings.insecure:
        _check_insecure(settings, changes)
    check_port(settings)
    if settings.front == "nginx":
        nginx.program()
    write(folder.settings, settings)
    if foreground:
        _log_here(folder)
        serve(folder)
        return
    _start_in_background(folder)
    echo_address(folder)


def _check_insecure(settings: "ServerSettings", given: Mapping[str, Any]) -> None:
    """Raise UsageError if something else that holds, or is `given` now, does not go without TLS."""
    from zk0_core.federation.insecure import check_loopback
    from zk0_core.federation.server import WITH_TLS

    source = "--host" if "host" in given else "--host of an earlier start, which is kept"
    check_loopback(settings.host, source, WITH_TLS)
    outside = {
        "--cert": bool(given.get("certificate")),
        "--address": bool(given.get("names")),
        "--front nginx": given.get("front") == "nginx",
    }
    for flag in [flag for flag, is_given in outside.items() if is_given]:
        raise UsageError(
            f"{flag} is for a server that others reach, and --insecure for this machine alone; "
            f"leave {flag} out, or {WITH_TLS}"
        )


def _check_one(flag: str, value: object, opposite: str, is_given: bool) -> None:
    if value is not None and is_given:
        raise UsageError(f"{flag} {value} and {opposite} exclude each other; keep one")


def _file(path: Path, flag: str) -> str:
    if not path.is_file():
        raise UsageError(f"{flag} {path} is not there; check the path")
    return str(path.absolute())


def _plan(run_file: Path) -> str:
    """Return the plan of a run file, as JSON: checked now, not when the nodes are there."""
    from zk0_cli.run import check_server_device
    from zk0_core.registry import Registry
    from zk0_core.resolve import DEFAULTS, resolve_plan
    from zk0_core.runfile import plan_to_json, read_run_file
    from zk0_core.settings import merged

    settings = merged(DEFAULTS, read_run_file(run_file))
    plan = resolve_plan(settings, Registry.discover(settings.disabled))
    check_server_device(plan)
    return plan_to_json(plan)


def _log_here(folder: ServerFolder) -> None:
    from loguru import logger

    from zk0_core.federation.signals import LOG_FORMAT
    from zk0_core.logs import add_log

    logger.remove()
    add_log(folder.logs / "server.log", format=LOG_FORMAT)
    add_log(sys.stderr, format=LOG_FORMAT)


def _start_in_background(folder: ServerFolder) -> None:
    from zk0_core.federation.server import process_of

    folder.logs.mkdir(parents=True, exist_ok=True)
    with (folder.logs / "start.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "zk0_core.federation.server", str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while process_of(folder) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            said = (folder.logs / "start.log").read_text(errors="replace").strip()
            reason = said.splitlines()[-1].removeprefix("Error: ") if said else "it said nothing"
            raise Zk0Error(f"the server did not start: {reason}; logs are in {folder.logs}")
        time.sleep(0.2)
