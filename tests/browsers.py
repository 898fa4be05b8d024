"""A real browser without a window."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the machine's own Chromium or Chrome, and end it."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, f"no browser: install Chromium, so that one of {', '.join(NAMES)} is on PATH"
    # Chromium refuses its sandbox to root.
    flags = [*QUIET, "--no-sandbox"] if os.getuid() == 0 else [*QUIET]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=flags)
        yield started
        started.close()
