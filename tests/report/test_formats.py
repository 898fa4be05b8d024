"""How figures are written."""

import pytest

from zk0_core.intervals import Interval
from zk0_core.report import formats


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (formats.percent(None), "–"),
        (formats.percent(0.385), "38 %"),
        (formats.percents(None), "no interval"),
        (formats.percents(Interval(0.27, 0.514)), "27 to 51 %"),
        (formats.points(None), "–"),
        (formats.points(Interval(-0.15, 0.61)), "−15 to +61"),
        (formats.points(Interval(-0.004, 0.1)), "0 to +10"),
        (formats.number(None), "–"),
        (formats.number(2513), "2,513"),
        (formats.number(0.35782), "0.358"),
        (formats.number(0.3), "0.300"),
        (formats.number(821.7), "822"),
        (formats.number(0.01), "0.01"),
        (formats.number(0.0), "0"),
        (formats.number(1234.5), "1,234"),
        (formats.relative(2.0, 0.5), "−75 %"),
        (formats.relative(None, 0.5), ""),
        (formats.relative(0.0, 0.5), ""),
        (formats.size(999), "999 bytes"),
        (formats.size(4_914_592), "4.9 MB"),
        (formats.size(589_751_040), "590 MB"),
        (formats.size(7.2e12), "7.2 TB"),
        (formats.duration(9.04), "9.0 s"),
        (formats.duration(492), "8 min"),
        (formats.duration(7320), "2 h 2 min"),
    ],
)
def test_figures_are_short(written: str, text: str) -> None:
    assert written == text
