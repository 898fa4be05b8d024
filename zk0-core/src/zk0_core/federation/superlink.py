"""Flower's SuperLink, which keeps what passes through it in files.

Usage: python -m zk0_core.federation.superlink [FLAG...]
"""

from zk0_core.engines._flower_store import run_superlink

if __name__ == "__main__":
    run_superlink()
