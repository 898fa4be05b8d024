"""How the page writes figures."""

from zk0_core.intervals import Interval

DASH = "–"


def percent(share: float | None) -> str:
    """Return a share, 0 to 1, as whole percent."""
    return DASH if share is None else f"{100 * share:.0f} %"


def percents(interval: Interval | None) -> str:
    """Return an interval of shares."""
    if interval is None:
        return "no interval"
    return f"{100 * interval.low:.0f} to {100 * interval.high:.0f} %"


def points(interval: Interval | None) -> str:
    """Return an interval of differences between shares, in points of percent."""
    if interval is None:
        return DASH
    return f"{_signed(100 * interval.low)} to {_signed(100 * interval.high)}"


def number(value: float | int | None) -> str:
    """Return a number with 3 figures; whole numbers in full."""
    if value is None:
        return DASH
    if isinstance(value, int):
        return f"{value:,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    # Closing zeros only where they line figures up: 0.300 under 0.335, but 0.01.
    return f"{value:#.3g}".rstrip(".") if abs(value) >= 0.1 else f"{value:.3g}"


def relative(before: float | None, after: float | None) -> str:
    """Return the change of a positive figure in percent of `before`; empty when unknown."""
    if before is None or after is None or before <= 0:
        return ""
    return f"{_signed(100 * (after / before - 1))} %"


def size(count: float) -> str:
    """Return bytes in the unit that suits."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while count >= 1000 and units[1:]:
        count, units = count / 1000, units[1:]
    return (
        f"{count:.0f} {units[0]}"
        if units[0] == "bytes" or count >= 100
        else f"{count:.1f} {units[0]}"
    )


def duration(seconds: float) -> str:
    """Return a time in the two units that suit."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _signed(value: float) -> str:
    return f"{round(value):+d}".replace("-", "−").replace("+0", "0")
