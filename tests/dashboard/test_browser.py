"""The dashboard in a real browser: a page that grows with its run, without a reload."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.dashboard.serving import served
from tests.run_folders import WriteRun, history, write_film
from zk0_core.files import write_json
from zk0_core.history import History, to_line

pytestmark = pytest.mark.browser

SLOW_MS = 180_000
"""How long is waited at most: drawing a page takes a second or two of a machine that is free."""


@pytest.fixture
def run(write_run: WriteRun) -> Path:
    """A run whose last round is still to come."""
    folder = write_run(History(history().rounds[:2]), films=True)
    (folder / "logs").mkdir()
    (folder / "logs" / "server.log").write_text("round 1 is over\n")
    return folder


@pytest.fixture
def address(run: Path) -> Iterator[str]:
    with served(run.parent) as address:
        yield address


def opened(browser: Browser, address: str, said: list[str], path: str = "/") -> Page:
    """Open the page; `said` gets errors, and what it asks for beside this server."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(SLOW_MS)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    def asked(url: str) -> None:
        if not url.startswith((f"{address}/", "data:")):
            said.append(url)

    page.on("request", lambda request: asked(request.url))
    page.goto(f"{address}{path}")
    return page


def finish_round(run: Path) -> None:
    for start in (0, 1):
        path = run / f"evaluate/round_2/start_{start}.mp4"
        write_film(path)
        write_json(path.with_suffix(".json"), {"success": True, "seconds": 4.0})
    with (run / "logs" / "server.log").open("a") as log:
        log.write("round 2 is over\n")
    with (run / "history.jsonl").open("a") as log:
        log.write(to_line(history().rounds[2]) + "\n")


def test_a_page_grows_with_its_run(browser: Browser, run: Path, address: str) -> None:
    said: list[str] = []
    page = opened(browser, address, said)
    page.get_by_role("link", name="small").click()
    assert page.locator("#standing").inner_text() == "going on"
    assert "1 of 2 rounds" in page.locator("header").inner_text()
    assert page.locator("video").count() == 4
    assert page.locator("#log").inner_text().strip() == "round 1 is over"
    curve = page.locator("#loss-axes_1 path[clip-path]").last
    before = curve.get_attribute("d")
    page.get_by_text("Rounds", exact=True).last.click()
    page.evaluate("window.untouched = true")

    finish_round(run)
    page.get_by_text("It learned: success rose from 0 % untrained to 70 %").wait_for()
    assert "2 of 2 rounds" in page.locator("header").inner_text()
    assert page.locator("video").count() == 6
    assert page.locator("#log").inner_text().split("\n")[-1] == "round 2 is over"
    assert page.locator("#loss-axes_1 path[clip-path]").last.get_attribute("d") != before
    # The page was not loaded again: what was opened is open.
    assert page.evaluate("window.untouched")
    assert page.locator("details[open] > summary").all_inner_texts() == ["Rounds"]

    (run / "models/final").mkdir(parents=True)
    (run / "models/final/zk0.json").touch()
    page.locator("#standing", has_text="finished").wait_for()
    assert said == []
    page.context.close()


def test_videos_play_and_are_not_taken_away(browser: Browser, run: Path, address: str) -> None:
    said: list[str] = []
    page = opened(browser, address, said, "/runs/small/")
    page.evaluate("document.querySelectorAll('video').forEach(v => v.loop = true)")
    page.get_by_role("button", name="Play all together").first.click()
    played = "[...document.querySelectorAll('#row-1 video')].every(v => v.currentTime > 0.2)"
    for _ in range(200):
        if page.evaluate(played):
            break
        page.wait_for_timeout(50)
    assert page.evaluate(played)

    finish_round(run)
    page.locator("#log", has_text="round 2 is over").wait_for()
    page.wait_for_timeout(2500)
    assert page.locator("video").count() == 4
    page.evaluate("document.querySelectorAll('video').forEach(v => v.pause())")
    page.get_by_text("It learned: success rose").wait_for()
    assert page.locator("video").count() == 6
    button = page.get_by_role("button", name="Play all together").first
    assert button.is_visible()
    assert said == []
    page.context.close()


def test_it_fits_a_phone_and_says_when_it_ends(browser: Browser, run: Path) -> None:
    said: list[str] = []
    with served(run) as address:
        page = opened(browser, address, said)
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.get_by_role("link", name="all runs").count() == 0
        assert said == []
        page.evaluate("document.querySelectorAll('video').forEach(v => v.remove())")
    page.locator("#standing", has_text="the dashboard has ended").wait_for()
    page.context.close()
