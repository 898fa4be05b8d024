"""Flower's SuperNode, which says that it lives as often as its operator wants it to.

Usage: python -m zk0_core.federation.supernode SECONDS PIECES [FLAG...]

The pieces of messages are files in the folder PIECES. With --insecure it keeps its key, which
Flower's own does not.
"""

import sys
import types
from pathlib import Path

DATABASE = "flwr.supercore.object_store.sql_object_store"


def leave_out_the_database() -> None:
    """Have Flower find its SQL store imported already, and nothing in it.

    A node has no database, and SQLAlchemy and Alembic would be 40 % of its start.
    """
    assert DATABASE not in sys.modules
    nothing = types.ModuleType(DATABASE)
    vars(nothing)["SqlObjectStore"] = None
    sys.modules[DATABASE] = nothing


if __name__ == "__main__":
    leave_out_the_database()

    from zk0_core.engines._flower_supernode import run_supernode

    heartbeat, pieces = int(sys.argv.pop(1)), Path(sys.argv.pop(1))
    insecure = "--insecure" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--insecure"]
    run_supernode(heartbeat, pieces, insecure)
