"""A federation's rounds against plain Flower's: a server, two nodes, TLS and node keys, loopback.

Both send the same values around, with the same certificates and keys, one after the other. Ours is
what `zk0 server start` and `zk0 client start` run. Theirs is as Flower starts by itself, one
process a task, with an app that sends arrays out and changed arrays back: with all in memory, which
is its default, and with a database, without which a SuperLink that is killed forgets its run.
"""

import json
import socket
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs

HERE = Path(__file__).resolve().parent
PLUGIN = HERE / "plugin"
sys.path[:0] = [str(PLUGIN), str(HERE.parent / "tests" / "network")]

from training import environment  # noqa: E402
from world import World, wait_until  # noqa: E402
from zk0_exchange.stamps import FILE, read_stamps  # noqa: E402

NODES = ("ann", "bob")
LOOPBACK = "127.0.0.1"
SECONDS = 1800.0
"""What anything gets to happen: 400 MB take minutes on a slow machine."""

RUN_FILE = """
rounds = {rounds}
local_steps = 1
reporters = []
workers = 1
optimizer_state = "reset"
[policy]
name = "exchange"
values = {values}
[strategy]
name = "stamped-fedavg"
[wire]
codec = "{codec}"
[[clients]]
dataset = "toy:a"
"""
"""The nodes take the place of the client."""


@attrs.frozen(kw_only=True)
class Round:
    """Seconds of one round of ours, in the order in which they pass."""

    out: float
    """Until the last node trains: packing, the way there, and setting the parameters."""
    training: float
    """Of the node that trains longest."""
    back: float
    """Until the last update is unpacked and found usable, from the last node's training on."""
    averaging: float
    between: float
    """Until the next round begins: record and checkpoint are written, the nodes are looked up."""

    @property
    def whole(self) -> float:
        """Seconds from one round's beginning to the next one's."""
        return self.out + self.training + self.back + self.averaging + self.between

    @property
    def exchange(self) -> float:
        """Seconds until all updates are there, as plain Flower's app takes them."""
        return self.out + self.training + self.back


def medians(rounds: Sequence[Round]) -> dict[str, float]:
    """Return the median seconds of each part of a round."""
    parts = [*(field.name for field in attrs.fields(Round)), "whole"]
    return {
        f"seconds_{part}": statistics.median(getattr(round, part) for round in rounds)
        for part in parts
    }


@attrs.frozen
class Taken:
    """What rounds took, without the first one: in that one policies are loaded."""

    ours: dict[str, list[Round]]
    """By codec."""
    flower: float
    """Median seconds of plain Flower's."""
    flower_database: float
    """The same where its SuperLink has a database, as ours has."""


def measure(values: int, rounds: int, codecs: Sequence[str]) -> Taken:
    """Exchange `values` float32 so often: ours, with each codec, and plain Flower's."""
    with tempfile.TemporaryDirectory(prefix="zk0-bench-") as name:
        folder = Path(name)
        stamps = folder / "stamps"
        with environment(PYTHONPATH=str(PLUGIN), **{FILE: str(stamps)}):
            world = World(folder)
            try:
                start(world)
                ours = {codec: of_ours(world, values, rounds, codec, stamps) for codec in codecs}
            finally:
                world.close()
            flower = of_flower(world, values, rounds)
            database = of_flower(world, values, rounds, "--database", str(folder / "flower.db"))
    return Taken(ours, statistics.median(flower[1:]), statistics.median(database[1:]))


def start(world: World) -> None:
    """Start server and nodes, and return once all are there."""
    world.start_server()
    for node in NODES:
        world.enroll(node)
        world.start_node(node)
    world.await_nodes(*NODES)


def of_ours(world: World, values: int, rounds: int, codec: str, stamps: Path) -> list[Round]:
    """Run so many rounds in the federation; return those after the first and before the last."""
    stamps.unlink(missing_ok=True)
    run_file, output = world.path / f"{codec}.toml", world.path / codec
    # The last one has no round after it, by whose beginning it ends.
    run_file.write_text(RUN_FILE.format(rounds=rounds + 1, values=values, codec=codec))
    done = world.zk0(
        *("run", run_file, "--federation", "main", "--min-clients", len(NODES)),
        *("--output", output),
    )
    if done.returncode:
        raise SystemExit(f"{done.stderr}\n{world.said()}")
    history = [json.loads(line) for line in (output / "history.jsonl").read_text().splitlines()]
    training = [
        max(client["seconds_data"] + client["seconds_compute"] for client in record["clients"])
        for record in history[1:]
    ]
    return breakdown(read_stamps(stamps), training)[1:]


def breakdown(stamps: Sequence[tuple[str, float]], training: Sequence[float]) -> list[Round]:
    """Return all rounds but the last one.

    Args:
        stamps: What happened when, of all rounds.
        training: Seconds of each round that the nodes trained.
    """
    times: dict[str, list[float]] = {}
    for what, when in stamps:
        times.setdefault(what, []).append(when)
    begins, averaged = times["begin"], times["averaged"]
    # The last node's of each round: all train, then all updates come.
    trains, updates = (times[what][len(NODES) - 1 :: len(NODES)] for what in ("train", "update"))
    assert len(begins) == len(averaged) == len(trains) == len(updates) == len(training)
    return [
        Round(
            out=trains[i] - begins[i],
            training=training[i],
            back=updates[i] - trains[i] - training[i],
            averaging=averaged[i] - updates[i],
            between=begins[i + 1] - averaged[i],
        )
        for i in range(len(begins) - 1)
    ]


def of_flower(world: World, values: int, rounds: int, *flags: str) -> list[float]:
    """Return the seconds of each of plain Flower's exchanges, with the keys in `world`.

    `flags` are for its SuperLink.
    """
    from zk0_exchange.flower import PROJECT

    from zk0_core.engines._flower_control import FINISHED, build_bundle

    output = world.path / "flower.json"
    output.unlink(missing_ok=True)
    asked = json.dumps({"values": values, "rounds": rounds, "output": str(output)})
    with plain_flower(world, *flags) as control:
        run = control.start_run(build_bundle({"pyproject.toml": PROJECT.encode()}), asked)

        def state() -> Any:
            found = control.run_state(run)
            return found if found and found.status == FINISHED else None

        ended = wait_until("plain Flower's run has ended", state, SECONDS)
    if not output.is_file():
        logs = [path.read_text(errors="replace") for path in world.path.glob("flower/*.log")]
        raise SystemExit("\n".join([ended.details, *logs]))
    return list(json.loads(output.read_text()))


@contextmanager
def plain_flower(world: World, *flags: str) -> Iterator[Any]:
    """Run Flower's own SuperLink and SuperNodes; yield its Control API once all nodes are there."""
    from zk0_core.engines._flower_control import Control
    from zk0_core.federation.certificates import ensure_node_key
    from zk0_core.federation.enrolment import approve
    from zk0_core.federation.processes import Child, free_port, stop_all

    server, port, folder = world.server, free_port(), world.path / "flower"
    address = f"{LOOPBACK}:{port}"
    certificate, key = (server.certificates / f"server.{kind}" for kind in ("crt", "key"))
    tls = (
        *("--ssl-ca-certfile", server.ca, "--ssl-certfile", certificate, "--ssl-keyfile", key),
        "--enable-supernode-auth",
    )
    children: list[Child] = []

    def start(name: str, *command: Any) -> None:
        log, home = folder / f"{name}.log", {"FLWR_HOME": str(folder / name)}
        children.append(Child(name, [str(part) for part in command], log, home))
        children[-1].start()

    def program(name: str) -> Path:
        return Path(sys.executable).with_name(name)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, port)) == 0

    try:
        link = (program("flower-superlink"), "--host", LOOPBACK, "--port", port, *tls, *flags)
        start("superlink", *link, "--disable-runtime-dependency-installation")
        wait_until("Flower's SuperLink listens", listens)
        with closing(Control(address, server.ca)) as control:
            for name in NODES:
                node_key = world.node_folder(name).key
                approve(control, name, ensure_node_key(node_key))
                start(
                    *(name, program("flower-supernode"), "--superlink", address),
                    *("--root-certificates", server.ca, "--auth-supernode-private-key", node_key),
                    *("--host", LOOPBACK, "--port", free_port()),
                )
            wait_until(
                "Flower's SuperNodes are there", lambda: all(n.online for n in control.nodes())
            )
            yield control
    finally:
        stop_all(children)
