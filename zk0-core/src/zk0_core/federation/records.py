"""What is written down about servers, nodes and runs of a federation, one JSON file each."""

import json
from pathlib import Path
from typing import Any

import attrs
import cattrs

from zk0_core.errors import Zk0Error
from zk0_core.files import write_json

# Not `zk0_core.strict`: Flower numbers runs with 64 bits, and that takes 63 at most.
_converter = cattrs.Converter(forbid_extra_keys=True)


@attrs.frozen(kw_only=True)
class ServerSettings:
    """What `zk0 server start` was asked for."""

    host: str = "0.0.0.0"
    port: int = 9443
    names: tuple[str, ...] = ()
    """Names and addresses by which nodes reach the server, beside this host's own."""
    certificate: str = ""
    """A certificate of somebody else's authority, for what listens outside; empty for our own."""
    key: str = ""
    """The key of `certificate`."""
    front: str = "auto"
    """What listens outside: built-in or nginx; auto is nginx where it is installed."""
    insecure: bool = False
    """Whether nodes are served without TLS, on the loopback address."""
    min_clients: int = 1
    """Nodes that an automatic session needs."""
    round_seconds: float = 0.0
    """Seconds that a round of a session gets; 0 for as long as it takes."""
    auto: str = ""
    """A run file to start sessions with, as a resolved plan in JSON; empty for none."""
    series: int = 1
    """Counts how often sessions were to start afresh: none takes the model of another series."""


@attrs.frozen(kw_only=True)
class ServerProcess:
    """A server that runs."""

    pid: int
    started: str
    """When, ISO 8601."""
    address: str
    """Where nodes reach it."""
    control: str
    """Where the SuperLink listens, for this machine alone."""


@attrs.frozen(kw_only=True)
class NodeSettings:
    """Where a node belongs."""

    server: str
    """HOST:PORT; http://HOST:PORT where it has no TLS."""
    name: str


@attrs.define(kw_only=True)
class NodeStatus:
    """What a node is doing."""

    pid: int
    name: str
    server: str
    dataset: str
    started: str
    state: str = "starting"
    """starting, connecting, waiting, training, paused, trying again or stopping."""
    run: str = ""
    round: int = 0
    preparing: str = ""
    """What it makes before its first round, and how far that is."""
    step: int = 0
    """Steps of this round that are done, and how many there are; 0 while it does not train."""
    steps: int = 0
    rounds_done: int = 0
    loss: float | None = None
    """Of the last round that was done."""
    bytes_down: int = 0
    bytes_up: int = 0
    supernode: int = 0
    """Process ids."""
    trainer: int = 0
    errors: int = 0
    last_error: str = ""


@attrs.frozen(kw_only=True)
class DatasetSummary:
    """What a node tells the admin of its dataset."""

    kind: str
    """The scheme of its address: local, hf, sim."""
    episodes: int
    """That it trains on."""
    frames: int
    """In these."""
    name: str = ""
    """Its address, where the operator wants it known."""
    key: str = ""
    """Short name of the node's key; the server's to fill in."""


@attrs.frozen(kw_only=True)
class RunEntry:
    """A run of a federation, from its submission on."""

    name: str
    submitted: str
    """When; where it was queued again, the last time."""
    folder: str
    """Where its output goes."""
    state: str = "queued"
    """queued, running, done, failed or stopped."""
    reason: str = ""
    """What it waits for, or why it ended."""
    flower_run: int = 0
    attempts: int = 0
    """How often it was given to the SuperLink: more than once after a crash."""
    min_clients: int = 0
    """Nodes that it needs to start; 0 for all that are approved."""
    wait: float = 60.0
    """Seconds that it waits for them."""
    round_seconds: float = 0.0
    """Seconds that a round gets; 0 for as long as it takes."""
    start_from: str = ""
    """Output folder of the run whose model it starts from; empty for the policy's own start."""
    series: int = 0
    """Of a session, as `ServerSettings` counts; 0 for a run by hand."""
    ended: str = ""
    there: tuple[str, ...] = ()
    """Nodes that were there when it ended and have not left since: they begin no session.

    None where the server started no sessions then.
    """

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in ("done", "failed", "stopped")

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.state == "done":
            return f"run {self.name} is done, its output is in {self.folder}"
        return f"run {self.name} {self.state}: {self.reason}"


def unstructured(record: Any) -> dict[str, Any]:
    """Return a record as JSON has it."""
    fields: dict[str, Any] = _converter.unstructure(record)
    return fields


def structured[Record](fields: Any, kind: type[Record]) -> Record:
    """Return the record that `unstructured` made `fields` of.

    Raises:
        ValueError: if it is no such record.
    """
    try:
        return _converter.structure(fields, kind)
    except (ValueError, TypeError, AttributeError, cattrs.BaseValidationError) as problem:
        raise ValueError(str(problem)) from problem


def write(path: Path, record: Any) -> None:
    """Write `record` to `path`, whole or not at all."""
    write_json(path, unstructured(record))


def read[Record](path: Path, kind: type[Record]) -> Record | None:
    """Return the record in `path`; None if there is no such file.

    Raises:
        Zk0Error: if the file holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return structured(json.loads(text), kind)
    except ValueError as problem:
        raise Zk0Error(
            f"{path} is no {kind.__name__}: {problem}; move it away, and ask again"
        ) from problem
