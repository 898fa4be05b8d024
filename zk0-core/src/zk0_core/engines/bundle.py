"""The Flower app of federations: a few lines that name code which is installed already.

Both sides make it themselves, from the wire's version alone. A node runs its own installation and
compares the bundle that it is sent with its own: another app never runs there.
"""

import functools
import os
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from zk0_core.errors import Zk0Error
from zk0_core.wire.orders import WIRE_VERSION

FOLDER_VARIABLE = "ZK0_SERVER_FOLDER"
"""Where the ServerApp finds its federation; set by the server for its processes."""

PROJECT = f"""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "zk0-app"
version = "{WIRE_VERSION}.0.0"
description = "zk0, as installed"
license = "Apache-2.0"

[tool.hatch.build.targets.wheel]
packages = ["."]

[tool.flwr.app]
publisher = "zk0"

[tool.flwr.app.components]
serverapp = "zk0_core.engines.bundle:server"
clientapp = "zk0_core.engines.bundle:client"

[tool.flwr.app.config]
run = ""
"""

server = ServerApp()
client = ClientApp()


@functools.cache
def bundle() -> bytes:
    """Return the app of this installation."""
    from zk0_core.engines._flower_control import build_bundle

    return build_bundle({"pyproject.toml": PROJECT.encode()})


@server.main()
def serve(grid: Grid, context: Context) -> None:
    """Carry out the run that is named in the run's settings."""
    from zk0_core.engines.deployment import carry_out

    carry_out(grid, str(context.run_config["run"]), Path(os.environ[FOLDER_VARIABLE]))


@client.train()
@client.query("schema")
def refuse(message: Message, context: Context) -> Message:
    """Refuse: this app is a zk0 node's alone to run, beside the policy and data it keeps loaded."""
    raise Zk0Error("a node of zk0 is started with zk0 client start, not with flower-supernode")
