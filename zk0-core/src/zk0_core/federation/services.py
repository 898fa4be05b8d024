"""Units for systemd, so that a server or a node starts with its machine."""

import os
import re
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

PATHS = ("ZK0_HOME", "ZK0_CACHE", "HF_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
KEPT_VARIABLES = (*PATHS, "ZK0_LOAD_PLUGINS", "HF_HUB_OFFLINE")
"""What is set now is set for the service as well; secrets are not among them."""
_PLAIN = re.compile(r"[A-Za-z0-9@%$:/._=,+~-]+")


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
    words = [_word(word) for word in ("-m", "zk0_cli", *arguments)]
    values = [
        # Another folder is the current one when the service starts.
        _quoted(f"{name}={os.path.abspath(value) if name in PATHS else value}")
        for name in KEPT_VARIABLES
        if (value := environment.get(name))
    ]
    lines = [f"Environment={value}" for value in values]
    if system:
        lines.append(f"User={environment.get('SUDO_USER') or environment.get('USER') or 'root'}")
    return UNIT.format(
        description=description,
        # No variable is looked for in the name of a program.
        command=" ".join([_word(sys.executable, variables=False), *words]),
        environment="\n".join(lines),
        target="multi-user.target" if system else "default.target",
    )


def _word(text: str, variables: bool = True) -> str:
    """Return one word of a command, so that systemd takes it as it is; see systemd.service(5)."""
    text = text.replace("$", "$$") if variables else text
    return text.replace("%", "%%") if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    """Return `text` in quotes, which systemd takes away with the marks that are put in here."""
    marked = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return '"' + marked.replace("\n", "\\n") + '"'


def home_of_sudo_user(environment: Mapping[str, str]) -> str | None:
    """Return the ZK0_HOME of whoever called sudo, which forgets it; None without sudo, or if set.

    Args:
        environment: This process's.
    """
    user = environment.get("SUDO_USER")
    if not user or environment.get("ZK0_HOME") or environment.get("XDG_DATA_HOME"):
        return None
    return str(Path(f"~{user}").expanduser() / ".local" / "share" / "zk0")


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
