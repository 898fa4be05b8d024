"""Units for systemd, so that a server or a node starts with its machine."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from zk0_core.files import write_text

UNIT = """\
[Unit]
Description={description}
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={command}
{environment}
Restart=on-failure
RestartSec=5
TimeoutStopSec=30
KillMode=mixed
NoNewPrivileges=true

[Install]
WantedBy={target}
"""

KEPT_VARIABLES = ("ZK0_HOME", "ZK0_CACHE", "ZK0_LOAD_PLUGINS", "HF_HOME", "HF_HUB_OFFLINE")
"""What is set now is set for the service as well; secrets are not among them."""


def unit(
    description: str, arguments: Sequence[str], *, system: bool, environment: Mapping[str, str]
) -> str:
    """Return the unit that runs `zk0` with `arguments`.

    Args:
        description: What the unit is.
        arguments: Of the command.
        system: Whether it is started with the machine, rather than by its user's own systemd.
        environment: Where the values of KEPT_VARIABLES are looked up.
    """
    command = [sys.executable, "-m", "zk0_cli", *arguments]
    # A percent sign means something to systemd.
    escaped = [word.replace("%", "%%") for word in command]
    values = [
        f'Environment="{name}={environment[name]}"'
        for name in KEPT_VARIABLES
        if environment.get(name)
    ]
    if system:
        values.append(f"User={environment.get('SUDO_USER') or environment.get('USER') or 'root'}")
    return UNIT.format(
        description=description,
        command=shlex.join(escaped),
        environment="\n".join(values),
        target="multi-user.target" if system else "default.target",
    )


def unit_path(name: str, *, system: bool) -> Path:
    """Return where the unit `name` belongs."""
    if system:
        return Path("/etc/systemd/system") / f"{name}.service"
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "systemd" / "user" / f"{name}.service"


def install(name: str, text: str, *, system: bool) -> tuple[Path, str]:
    """Write the unit; return its path and the command that starts it, now and from now on."""
    path = unit_path(name, system=system)
    write_text(path, text)
    scope = "sudo systemctl" if system else "systemctl --user"
    return path, f"{scope} daemon-reload && {scope} enable --now {name}"
