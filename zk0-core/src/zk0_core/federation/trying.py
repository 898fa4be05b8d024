"""What a node does about what fails: it tells of it, waits, and tries again until it is to end."""

import time
from collections.abc import Callable

from zk0_core.errors import Zk0Error
from zk0_core.federation.node_status import StatusFile

POLL_SECONDS = 0.2
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0


class Stopped(Exception):
    """The node was told to end."""


class Attempts:
    """A node's attempts at what may fail, and its waits."""

    def __init__(self, status: StatusFile, ended: list[int], tell: Callable[[str], None]) -> None:
        """Begin.

        Args:
            status: Where problems are counted.
            ended: Gets the number of a signal to end.
            tell: Called with what the operator is to see, a line at a time.
        """
        self._status = status
        self._ended = ended
        self._tell = tell
        self._wait = FIRST_WAIT

    def check(self) -> None:
        """Raise Stopped if the node was told to end."""
        if self._ended:
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            Stopped: as soon as the node is told to end.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, POLL_SECONDS))

    def failed(self, problem: Zk0Error) -> None:
        """Count what has failed and will be tried again; tell of it unless it did just before."""
        if str(problem) != self._status.now.last_error:
            self._tell(f"{problem}; trying again")
        self._note(problem)

    def rest(self) -> None:
        """Wait, each time longer than the last until something has `worked`."""
        self.sleep(self._wait)
        self._wait = min(2 * self._wait, LONGEST_WAIT)

    def worked(self) -> None:
        """Let the next wait be a short one."""
        self._wait = FIRST_WAIT

    def until_it_works(self, attempt: Callable[[], None]) -> None:
        """Call `attempt` until it raises no Zk0Error; each failure and wait is told."""
        while True:
            try:
                attempt()
            except Zk0Error as problem:
                self._note(problem)
                self._tell(f"{problem}; trying again in {self._wait:.0f} s")
                self.rest()
            else:
                self.worked()
                return

    def _note(self, problem: Zk0Error) -> None:
        self._status.note(str(problem))
        self._status.say(state="trying again", preparing="")
