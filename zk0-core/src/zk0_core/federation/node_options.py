"""How a node takes part: what its operator asks for."""

from collections.abc import Mapping

import attrs


@attrs.frozen(kw_only=True)
class NodeOptions:
    """What a node operator asks for."""

    dataset: str
    rename: Mapping[str, str] = attrs.field(factory=dict)
    device: str = "cpu"
    retry: bool = False
    """Whether a first connection that fails is tried again."""
    max_rounds: int = 0
    """Rounds after which the node leaves; 0 for never."""
    max_hours: float = 0.0
    """Hours after which it leaves, once a round is over; 0 for never."""
    heartbeat: int = 30
    """The server misses the node when it has not heard of it for twice so many seconds."""
    name_dataset: bool = False
    """Whether the admin is told the dataset's address, and not only how much it is."""
    epsilon: float | None = None
    """What it spends of its privacy, at most; None for as much as the run says."""
