"""A browser for tests: one that the system has, or Playwright's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
QUIET += ("--disable-background-networking", "--disable-component-update", "--disable-sync")
WHY = "no Chromium was found: apt-get install chromium, or playwright install chromium"


@contextmanager
def a_browser() -> Iterator[Any]:
    """Start a browser; where there is none, skip, or fail if this is a check that must be made."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, NAMES)), playwright.chromium.executable_path)
        if not Path(found).exists():
            _give_up(WHY)
        try:
            browser = playwright.chromium.launch(executable_path=found, args=[*QUIET])
        except Error as error:
            _give_up(f"{found} does not start: {error}")
        yield browser
        browser.close()


def _give_up(why: str) -> None:
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(why)
    pytest.skip(why)
