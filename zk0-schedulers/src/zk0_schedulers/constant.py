"""No change: the base value in every round."""

from zk0_core import Span
from zk0_core.history import History


class Constant:
    """Gives what it is given."""

    def value(self, round: int, base: Span, history: History, client: str | None = None) -> Span:
        """Return `base`."""
        return base
