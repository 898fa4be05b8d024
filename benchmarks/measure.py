"""One figure, as every measure returns it."""

import attrs


@attrs.frozen(kw_only=True)
class Measure:
    """One figure."""

    value: float
    """What is to be large or small: a ratio, a share, a number of MB."""
    ours: float
    theirs: float | None
    """What it is compared with; None for a figure by itself."""
    samples: int
    facts: dict[str, float] = attrs.field(factory=dict)
    """What else was seen."""
