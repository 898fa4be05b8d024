"""Becomes another program, after asking the system to end it when its parent is gone.

Usage: python -m zk0_core.federation.child PARENT COMMAND [ARGUMENT...]
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""Of Linux; see prctl(2). Elsewhere a killed parent leaves its children to the next start."""


def main(arguments: list[str]) -> None:
    """Run `arguments[1:]` in place of this process, for the parent `arguments[0]`."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(arguments[0]):
            sys.exit("the parent is gone")
    os.execvp(arguments[1], arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
