"""Flower's SuperNode, which says that it lives as often as its operator wants it to.

Usage: python -m zk0_core.federation.supernode SECONDS [FLAG...]

With --insecure it keeps its key, which Flower's own does not.
"""

import sys

from zk0_core.engines._flower_network import run_supernode

if __name__ == "__main__":
    heartbeat = int(sys.argv.pop(1))
    insecure = "--insecure" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--insecure"]
    run_supernode(heartbeat, insecure)
