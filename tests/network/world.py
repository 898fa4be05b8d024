"""Federations of real processes on the loopback address, with a policy that trains in no time."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from zk0_core.federation.certificates import ensure_node_key
from zk0_core.federation.folder import NodeFolder, ServerFolder
from zk0_core.federation.processes import free_port
from zk0_core.federation.records import NodeSettings, ServerSettings, write
from zk0_core.federation.server import process_of

PLUGIN = Path(__file__).parent / "plugin"
SECONDS = float(os.environ.get("ZK0_TEST_SECONDS", "240"))
"""What anything gets to happen: no test asserts a time, and machines are slow now and then."""

STAYS = ("--cpu", "--foreground", "--retry", "--heartbeat", "10")
"""Killed nodes are missed after 20 s rather than after 60."""

RUN_FILE = """
rounds = {rounds}
local_steps = 3
reporters = []
workers = 1
device = "cpu"
seed = 7
[policy]
name = "toy"
seconds = {seconds}
cache_seconds = {cache_seconds}
{clients}
"""


def wait_until(what: str, condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Return what `condition` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (met := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
    return met


class World:
    """One server and its nodes, each with a home of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.server = ServerFolder(path / "server" / "federations" / "main" / "server")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.server_process: subprocess.Popen[bytes] | None = None

    def environment(self, who: str, **more: str) -> dict[str, str]:
        paths = [str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            **os.environ,
            "ZK0_HOME": str(self.path / who),
            "PYTHONPATH": os.pathsep.join(paths),
            **more,
        }

    def start(self, *command: str, who: str, log: Path, **more: str) -> subprocess.Popen[bytes]:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as printed:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=self.path,
                env=self.environment(who, **more),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def start_server(self, **settings: Any) -> None:
        asked = {"host": "127.0.0.1", "port": self.port, **settings}
        write(self.server.settings, ServerSettings(**asked))
        self.start_again()

    def start_again(self) -> None:
        """Start the server as it was asked for before."""
        self.server_process = self.start(
            "-m",
            "zk0_core.federation.server",
            str(self.server.path),
            who="server",
            log=self.path / "server.txt",
        )

    def await_server(self) -> None:
        def up() -> bool:
            # None: the command was asked to start it, in the background.
            ours = self.server_process
            assert ours is None or ours.poll() is None, self.said()
            return process_of(self.server) is not None

        wait_until("the server is up", up)

    @contextmanager
    def control(self) -> Iterator[Any]:
        from zk0_core.engines._flower_control import Control

        self.await_server()
        process = process_of(self.server)
        assert process is not None
        with closing(Control(process.control, self.server.ca)) as control:
            yield control

    def node_folder(self, name: str) -> NodeFolder:
        return NodeFolder(self.path / name / "federations" / "main" / "client")

    def enroll(self, name: str, approve: bool = True) -> NodeFolder:
        """Enroll a node as the two commands do."""
        from zk0_core.federation.enrolment import approve as let_in

        folder = self.node_folder(name)
        key = ensure_node_key(folder.key)
        write(folder.settings, NodeSettings(server=self.address, name=name))
        with self.control() as control:
            shutil.copy(self.server.ca, folder.ca)
            if approve:
                let_in(control, name, key)
        return folder

    def start_node(self, name: str, *more: str, **environment: str) -> subprocess.Popen[bytes]:
        return self.start(
            *("-m", "zk0_cli", "client", "start", f"toy:{name}", *STAYS, *more),
            who=name,
            log=self.path / f"{name}.txt",
            **environment,
        )

    def node(self, name: str) -> Mapping[str, Any]:
        """Return what a node says that it does; nothing when it does not run."""
        path = self.node_folder(name).status
        try:
            return json.loads(path.read_text())
        except FileNotFoundError:
            return {}

    def online(self) -> set[str]:
        with self.control() as control:
            return {node.name for node in control.nodes() if node.online}

    def await_nodes(self, *names: str) -> None:
        def there() -> bool:
            return self.online() >= set(names)

        try:
            wait_until(f"{names} are there", there)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.said()}") from None

    def run_file(
        self, *clients: str, rounds: int = 3, seconds: float = 0.0, cache_seconds: float = 0.0
    ) -> Path:
        tables = "".join(f'[[clients]]\nname = "{c}"\ndataset = "toy:{c}"\n' for c in clients)
        path = self.path / f"run-{len(list(self.path.glob('run-*.toml')))}.toml"
        speed = {"seconds": seconds, "cache_seconds": cache_seconds}
        path.write_text(RUN_FILE.format(rounds=rounds, clients=tables, **speed))
        return path

    def zk0(self, *arguments: object, who: str = "server") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "zk0_cli", *map(str, arguments)],
            cwd=self.path,
            env=self.environment(who),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def said(self) -> str:
        """Return the ends of all logs, for a failure's message."""
        ends = []
        for path in sorted([*self.path.rglob("*.log"), *self.path.glob("*.txt")]):
            lines = path.read_text(errors="replace").splitlines()[-12:]
            ends.append("\n".join([f"== {path.relative_to(self.path)}", *lines]))
        return "\n".join(ends)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
