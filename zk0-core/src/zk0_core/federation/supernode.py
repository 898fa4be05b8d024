"""Flower's SuperNode, which says that it lives as often as its operator wants it to.

Usage: python -m zk0_core.federation.supernode SECONDS PIECES [FLAG...]

The pieces of messages are files in the folder PIECES.

With --insecure it keeps its key, which Flower's own does not.
"""

import sys
from pathlib import Path

from zk0_core.engines._flower_supernode import run_supernode

if __name__ == "__main__":
    heartbeat, pieces = int(sys.argv.pop(1)), Path(sys.argv.pop(1))
    insecure = "--insecure" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--insecure"]
    run_supernode(heartbeat, pieces, insecure)
