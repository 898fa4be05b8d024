"""The page as a file: whole, closed, safe, and the same for the same run."""

import itertools
import re
from pathlib import Path

import attrs

from tests.markup import Page
from tests.run_folders import WriteRun, client, history, plan
from zk0_core.history import History, Refusal, RoundRecord
from zk0_core.plan import ClientPlan
from zk0_core.report import page as page_module
from zk0_core.report.charts import COLOURS
from zk0_core.report.page import write_page
from zk0_core.report.reading import read_run

EVIL = '<script>alert("x")</script>$'


def written(folder: Path) -> str:
    write_page(read_run(folder), folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


def check(text: str) -> Page:
    """Check what every page must be: closed elements, unique ids, headings in order, no address."""
    page = Page(text)
    assert page.open == []
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    for tag, found in page.elements:
        for name, value in found.items():
            if name in ("src", "href", "xlink:href", "poster", "action"):
                assert (value or "").startswith(("data:", "#")), (tag, name, value)
        if tag in ("video", "img") or found.get("role") in ("img", "region"):
            assert found.get("aria-label") or found.get("alt"), (tag, found)
    assert not re.search(r"url\((?!#)", text)
    return page


def test_a_page_shows_the_whole_run(write_run: WriteRun) -> None:
    text = written(write_run(films=True))
    page = check(text)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("video") == 6
    assert tags.count("figure") == 12
    for shown in (
        "It learned: success rose from 0 % untrained to 70 % in round 2.",
        "An update of late refused (round 1): NaN in head.bias",
        'Round 2</strong>, <span class="good">succeeded after 4.0 s',
        "sim:lift?region=left",
        "local_steps",
        "rollouts = 10",
    ):
        assert shown in text, shown
    assert "epsilon</th>" not in text  # nobody adds noise


def test_the_same_run_gives_the_same_bytes(write_run: WriteRun) -> None:
    folder = write_run()
    assert written(folder) == written(folder)


def test_what_others_named_is_text(write_run: WriteRun) -> None:
    """Names come from other people's machines: none gets to be markup, in page or chart."""
    rounds = [
        attrs.evolve(
            record,
            clients=(attrs.evolve(client("left", 0.5), client=EVIL, dataset=EVIL),),
            refused=(Refusal(EVIL, EVIL),),
            datasets=[{**figures, "name": EVIL, EVIL: 1.0} for figures in record.datasets],
        )
        for record in history().rounds
    ]
    folder = write_run(History(tuple(rounds)), plan(clients=(ClientPlan(EVIL, EVIL),)))
    text = written(folder)
    page = check(text)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;$" in text
    assert [tag for tag, _ in page.elements].count("script") == 1


def test_what_clients_spent_of_their_privacy_is_shown(write_run: WriteRun) -> None:
    start, first, last = history().rounds
    left, right = last.clients
    private = attrs.evolve(last, clients=(attrs.evolve(left, epsilon=2.5), right))
    text = written(write_run(History((start, first, private))))
    check(text)
    assert '<th scope="col" class="figure">epsilon</th>' in text
    assert '<td class="figure">2.50</td><td class="figure">0</td></tr>' in text


def test_a_run_that_only_started_has_a_page(write_run: WriteRun) -> None:
    text = written(write_run(History((RoundRecord(round=0),))))
    check(text)
    assert "Nothing was evaluated yet" in text
    assert "0 of 2 rounds are over" in text
    assert "<video" not in text


def test_a_run_with_lost_rounds_has_stripes(write_run: WriteRun) -> None:
    lost = attrs.evolve(history().rounds[1], counted=False)
    text = written(write_run(History((history().rounds[0], lost, history().rounds[2]))))
    check(text)
    assert "Grey stripes: rounds that did not count." in text
    assert "Round 1 did not count" in text


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb, as WCAG 2.2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(share * p for share, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_enough_in_both_themes() -> None:
    """4.5 for text, 3 for curves: WCAG 2.2, 1.4.3 and 1.4.11."""
    assert contrast("#000000", "#ffffff") == 21
    text = (Path(page_module.__file__).parent / "page.css").read_text()
    themes = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", theme))
        for name in ("ink", "quiet", "good", "bad", "link"):
            for ground in ("page", "card"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        assert contrast(colours["ink"], colours["warn"]) >= 4.5
        for number in range(1, COLOURS + 1):
            assert contrast(colours[f"series-{number}"], colours["card"]) >= 3, number
