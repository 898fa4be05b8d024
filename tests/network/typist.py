"""Types the commands of docs/operate.md, for a federation of this machine."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.network.world import World

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operate.md"


def commands(heading: str) -> list[str]:
    """Return the commands below a heading of the page."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (section,) = [text for text in sections if text.startswith(heading + "\n")]
    return re.findall(r"^\$ zk0 (.*)$", section, flags=re.MULTILINE)


class Typist:
    """Types commands of the page, with this test's addresses in place of the page's."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.known = {
            "--address arms.example.org --port 9443": "--address 127.0.0.1 --host 127.0.0.1 "
            f"--port {world.port}",
            "arms.example.org:9443": world.address,
            "local:/data/left-desk": "toy:left-desk",
            "local:/data/right-desk": "toy:right-desk",
            "--min-clients 3": "--min-clients 1",
        }
        self.typed: list[str] = []

    def words(self, command: str) -> list[str]:
        self.typed.append(command)
        for text, instead in self.known.items():
            command = command.replace(text, instead)
        words = shlex.split(command)
        return [*words, "--cpu"] if words[:2] == ["client", "start"] else words

    def type(self, command: str, who: str = "server") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "zk0_cli", *self.words(command)],
            cwd=self.world.path,
            env=self.world.environment(who, XDG_CONFIG_HOME=str(self.world.path / "config")),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}\n{said}\n{self.world.said()}"
        return done.stdout
