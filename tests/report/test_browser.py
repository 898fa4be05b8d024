"""The page in a real browser: it fetches nothing, fits a phone, and its videos play."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.run_folders import WriteRun
from zk0_core.report.page import write_page
from zk0_core.report.reading import read_run

pytestmark = pytest.mark.browser

SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


@pytest.fixture
def report(write_run: WriteRun) -> Path:
    folder = write_run(films=True)
    write_page(read_run(folder), folder / "report.html")
    return folder / "report.html"


def opened(browser: Browser, report: Path, size: str, theme: str, said: list[str]) -> Page:
    """Open the page with nothing hidden; `said` gets errors and what it asks the network for."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    return page


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_and_fetches_nothing(browser: Browser, report: Path, size: str, theme: str) -> None:
    said: list[str] = []
    page = opened(browser, report, size, theme, said)
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths == [SIZES[size][0]] * 2
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(18, 21, 24)" if theme == "dark" else "rgb(246, 247, 248)")
    # Curves take the theme's colours: the ink of the held-out loss is the text's.
    curve = page.locator('#loss-axes_1 [style*="stroke: var(--ink)"]').first
    stroke = curve.evaluate("curve => getComputedStyle(curve).stroke")
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert stroke == ink
    outside = [entry for entry in said if not entry.startswith("data:")]
    assert outside == [report.as_uri()]
    page.context.close()


def test_a_row_of_videos_plays_together_by_keyboard(browser: Browser, report: Path) -> None:
    said: list[str] = []
    page = opened(browser, report, "desktop", "light", said)
    button = page.get_by_role("button", name="Play all together").first
    button.focus()
    page.keyboard.press("Enter")
    # Not by wait_for_function: the page's policy lets nobody evaluate text.
    played = "[...document.querySelectorAll('#row-1 video')].every(v => v.currentTime > 0.2)"
    for _ in range(200):
        if page.evaluate(played):
            break
        page.wait_for_timeout(50)
    assert page.evaluate(played)
    videos = page.locator("#row-1 video")
    assert videos.count() == 3
    assert videos.first.get_attribute("aria-label") == "start_0, round 0: failed after 4.0 s"
    assert page.evaluate("document.querySelector('#row-2 video').currentTime") == 0
    assert [entry for entry in said if not entry.startswith("data:")] == [report.as_uri()]
    page.context.close()


def test_every_control_is_reached_by_keyboard(browser: Browser, report: Path) -> None:
    said: list[str] = []
    page = opened(browser, report, "phone", "light", said)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert {"BUTTON", "VIDEO", "SUMMARY", "DIV"} <= reached
    page.context.close()
