"""The same exchange as an app of plain Flower: arrays out, changed arrays back, nothing besides."""

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from zk0_exchange.values import named_values

PROJECT = """\
[project]
name = "exchange"
version = "1.0.0"
description = "arrays out and back"
license = "Apache-2.0"

[tool.flwr.app]
publisher = "zk0"

[tool.flwr.app.components]
serverapp = "zk0_exchange.flower:server"
clientapp = "zk0_exchange.flower:client"

[tool.flwr.app.config]
run = ""
"""

server = ServerApp()
client = ClientApp()


@server.main()
def exchange(grid: Grid, context: Context) -> None:
    """Exchange as often as the run's settings say; write the seconds of each time."""
    asked = json.loads(str(context.run_config["run"]))
    tensors = named_values(asked["values"], 0)
    nodes = sorted(grid.get_node_ids())
    seconds = []
    for _ in range(asked["rounds"]):
        started = time.perf_counter()
        content = RecordDict({"arrays": ArrayRecord({n: Array(t) for n, t in tensors.items()})})
        replies = list(grid.send_and_receive([Message(content, node, "train") for node in nodes]))
        seconds.append(time.perf_counter() - started)
        assert len(replies) == len(nodes)
        # Other bytes in every round, as in training: what a SuperLink has already is not sent.
        changed = replies[0].content.array_records["arrays"]
        tensors = {name: array.numpy() for name, array in changed.items()}
        del content, replies, changed
    Path(asked["output"]).write_text(json.dumps(seconds))


@client.train()
def change(message: Message, context: Context) -> Message:
    """Return other values than any other node, as training does."""
    factor = np.float32(1 + context.node_id % 1000 * 1e-6)
    arrays = message.content.array_records["arrays"].items()
    changed = ArrayRecord({name: Array(array.numpy() * factor) for name, array in arrays})
    return Message(RecordDict({"arrays": changed}), reply_to=message)
