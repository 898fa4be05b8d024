"""The processes of a server, as commands: SuperLink, launcher, front, and nginx if it is chosen."""

import os
import sys
from collections.abc import Sequence

from loguru import logger

from zk0_core.engines.bundle import FOLDER_VARIABLE
from zk0_core.federation import nginx
from zk0_core.federation.authority import ensure_shown
from zk0_core.federation.certificates import (
    AUTHORITY_DAYS,
    ensure_authority,
    ensure_server_certificate,
    write_private,
)
from zk0_core.federation.connecting import place
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.insecure import LOOPBACK, LOOPBACK_HOSTS
from zk0_core.federation.memory import kept_memory
from zk0_core.federation.processes import Child, free_port
from zk0_core.federation.records import ServerSettings


def children_of(folder: ServerFolder, settings: ServerSettings, control: str) -> list[Child]:
    """Return the processes of a server, SuperLink first; keys are made where they are missing."""
    ensure_authority(folder.certificates)
    # For the loopback address alone: the SuperLink cannot load another one while it runs.
    inside = ensure_server_certificate(
        folder.certificates, LOOPBACK_HOSTS, "inside", AUTHORITY_DAYS
    )
    inside_pair = str(inside), str(inside.with_suffix(".key"))
    if not folder.secret.is_file():
        write_private(folder.secret, os.urandom(32).hex().encode())
    environment = kept_memory() | {
        "FLWR_HOME": str(folder.path / "flower"),
        FOLDER_VARIABLE: str(folder.path),
    }
    host, _, port = control.rpartition(":")
    secret = ("--superexec-auth-secret-file", str(folder.secret))
    superlink = (
        *(sys.executable, "-m", "zk0_core.federation.superlink", "--host", host, "--port", port),
        *("--isolation", "process", *secret, "--disable-runtime-dependency-installation"),
        *("--ssl-ca-certfile", str(folder.ca), "--ssl-certfile", inside_pair[0]),
        *("--ssl-keyfile", inside_pair[1], "--enable-supernode-auth"),
        *("--database", str(folder.database)),
    )
    launcher = (sys.executable, "-m", "zk0_core.federation.launcher", str(folder.path), control)
    commands: dict[str, Sequence[str]] = {"superlink": superlink, "launcher": launcher}
    commands |= _outside(folder, settings, control, inside_pair)
    return [
        Child(name, command, folder.logs / f"{name}.log", environment)
        for name, command in commands.items()
    ]


def _outside(
    folder: ServerFolder, settings: ServerSettings, control: str, inside: tuple[str, str]
) -> dict[str, Sequence[str]]:
    """Return the commands of the front and of nginx, if that is chosen; the last listens outside.

    Args:
        folder: The server's.
        settings: What was asked for.
        control: Where the SuperLink listens.
        inside: Files of the certificate that the front shows to nginx, and of its key.
    """
    program = (sys.executable, "-m", "zk0_core.federation.front_process")
    front = (*program, str(folder.path), control)
    outside = settings.host, str(settings.port)
    if settings.insecure:
        logger.info("the built-in front listens, without TLS")
        return {"front": (*front, *outside)}
    pair = ensure_shown(folder, settings)
    if not nginx.is_chosen(settings.front, folder.path, *pair):
        logger.info("the built-in front listens outside")
        return {"front": (*front, *outside, *map(str, pair))}
    logger.info("nginx listens outside")
    behind = LOOPBACK, str(free_port())
    listen = place(settings.host, settings.port)
    configuration = nginx.configure(folder, control, ":".join(behind), listen, pair)
    return {
        "front": (*front, *behind, *inside),
        "nginx": (nginx.program(), "-c", str(configuration), "-e", "stderr"),
    }
