"""Every command of docs/operate.md runs, in the order in which people would type them."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.typist import PAGE, Typist, commands
from tests.network.world import World, wait_until
from zk0_core.federation.processes import is_running
from zk0_core.federation.runs import Runs
from zk0_core.federation.server import process_of

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def typist(world: World) -> Iterator[Typist]:
    (world.path / "run.toml").write_text(world.run_file("left-desk", rounds=1).read_text())
    try:
        yield Typist(world)
    finally:
        pids = [world.node(name).get("pid") for name in ("left-desk", "right-desk", "new-desk")]
        process = process_of(world.server)
        for pid in filter(None, [*pids, process.pid if process else None]):
            import os

            os.kill(pid, signal.SIGTERM)
            wait_until(f"process {pid} ends", lambda pid=pid: not is_running(pid))


def test_every_command_of_the_page_runs(typist: Typist, world: World) -> None:
    assert "127.0.0.1" in typist.type(*commands("The admin: start the server"))
    first, second, approve = commands("The admin: let nodes in")
    invitation = typist.type(first).strip()
    typist.type(second)
    typist.known["zk0-invitation:WyJhcm..."] = invitation
    typist.known["3f9a..."] = json.loads(world.zk0("server", "status", "--json").stdout)[
        "authority"
    ]

    join, enroll, start = commands("The operator: join")
    typist.type(join, "left-desk")
    line = typist.type(enroll, "right-desk").strip()
    typist.known["'ecdsa-sha2-nistp384 AAAAE2Vj...'"] = re.findall("'.*'", line)[0]
    assert line == "zk0 " + approve.replace(
        "'ecdsa-sha2-nistp384 AAAAE2Vj...'", re.findall("'.*'", line)[0]
    )
    typist.type(approve)
    typist.type(start, "right-desk")
    world.await_nodes("left-desk", "right-desk")

    train, status, logs, stop, _ = commands("The admin: train")
    typist.type(train)
    slow = world.run_file("left-desk", rounds=1, seconds=600.0)
    submitted = world.start(
        *("-m", "zk0_cli", "run", str(slow), "--federation", "main"),
        who="server",
        log=world.path / "slow.txt",
    )
    wait_until("left trains", lambda: world.node("left-desk").get("state") == "training")
    assert "running" in typist.type(status)
    typist.type(logs)
    assert "stopped" in typist.type(stop)
    submitted.wait()
    wait_until("left is free", lambda: world.node("left-desk").get("state") == "waiting")
    world.await_nodes("left-desk")

    *daily, leave, service = commands("The operator: day to day")
    for command in daily:
        typist.type(command, "left-desk")
    assert "zk0-client-main.service" in typist.type(service, "left-desk")
    typist.type(leave, "left-desk")
    for command in commands("The admin: day to day"):
        typist.type(command)
    unit = (world.path / "config/systemd/user/zk0-client-main.service").read_text()
    assert "client start toy:left-desk --federation main --retry --foreground" in unit
    assert f'Environment="ZK0_HOME={world.path / "left-desk"}"' in unit
    assert process_of(world.server) is None


def test_sessions_start_by_themselves(typist: Typist, world: World) -> None:
    """The second session starts when a node has come since the first, with its model."""
    before = len(list(Runs(world.server).all()))
    typist.type(commands("The admin: train")[-1])

    def sessions() -> list[Path]:
        runs = list(Runs(world.server).all())[before:]
        assert not [run for run in runs if run.state in ("failed", "stopped")], world.said()
        return [Path(run.folder) for run in runs if run.state == "done"]

    def start(name: str) -> None:
        assert world.zk0("client", "start", f"toy:{name}", "--cpu", who=name).returncode == 0

    start("left-desk")
    wait_until("a session is done", lambda: len(sessions()) == 1)
    world.enroll("new-desk")
    start("new-desk")
    wait_until("another session is done", lambda: len(sessions()) == 2)
    first, second = (
        [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        for folder in sessions()
    )
    assert second[0]["params_hash"] == first[-1]["params_hash"]
    assert second[-1]["params_hash"] != first[-1]["params_hash"]


def test_the_page_has_no_other_commands(typist: Typist) -> None:
    # The installer's are run in setup/test_install_node.py, those without TLS in test_insecure.py.
    shown = re.findall(r"^\$ zk0 (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(shown) == {*typist.typed, *commands("Without TLS, on one machine")}
