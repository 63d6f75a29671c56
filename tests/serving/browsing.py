"""A browser for tests: one that the system has, or Playwright's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
QUIET += ("--disable-background-networking", "--disable-component-update", "--disable-sync")
WHY = "no Chromium was found: apt-get install chromium, or playwright install chromium"


def browser_path(playwright: Any) -> Path | None:
    """Return where a browser is; ``None`` without one."""
    own = playwright.chromium.executable_path
    found = Path(next(filter(None, map(shutil.which, NAMES)), own))
    return found if found.exists() else None


@contextmanager
def a_browser() -> Iterator[Any]:
    """Start a browser; where there is none, skip, or fail if this is a check that must be made."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        found = browser_path(playwright)
        if found is None:
            _give_up(WHY)
        try:
            browser = playwright.chromium.launch(executable_path=found, args=[*QUIET])
        except Error as error:
            _give_up(f"{found} does not start: {error}")
        yield browser
        browser.close()


def _give_up(why: str) -> NoReturn:
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(why)
    pytest.skip(why)


def main() -> int:
    """Say by the exit code whether a browser is there (`make browser`)."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return 0 if browser_path(playwright) else 1


if __name__ == "__main__":
    raise SystemExit(main())
