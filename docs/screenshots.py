"""Take the screenshots in docs/images of the pages that `kolmatch match` wrote.

    make demo
    PYTHONPATH=. .venv/bin/python docs/screenshots.py demo/lists/RUN

The brief with the most KOLs in its plan is shown, or the one named by ``--brief``. A system without
a Chinese font shows boxes: ``apt-get install fonts-noto-cjk fonts-inter``.
"""

from __future__ import annotations

import argparse
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.serving.browsing import a_browser

IMAGES = Path(__file__).parent / "images"
MOST = 300_000
"""Bytes that a screenshot may have."""
OPEN_FIRST = "document.querySelector('#rows .name').click()"
TO_LIST = "document.getElementById('matches').scrollIntoView({behavior: 'instant'})"


@dataclass(frozen=True)
class Shot:
    """One screenshot: its file, language and window, and what is done before it is taken."""

    name: str
    language: str
    width: int
    height: int
    act: str = ""
    scale: float = 1.0


SHOTS = (
    Shot("page_zh.png", "zh", 1440, 1180),
    Shot("page_en.png", "en", 1440, 1180),
    Shot("page_list_zh.png", "zh", 1440, 900, TO_LIST),
    Shot("page_kol_zh.png", "zh", 1440, 1180, OPEN_FIRST),
    Shot("page_kol_en.png", "en", 1440, 1180, OPEN_FIRST),
    Shot("page_phone_zh.png", "zh", 390, 844, scale=2.0),
    Shot("page_phone_list_zh.png", "zh", 390, 844, TO_LIST, scale=2.0),
)


def main() -> None:
    """Take them all."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("run", type=Path, help="folder of a run, with its index.html")
    asked.add_argument("--brief", help="id of the brief to show")
    given = asked.parse_args()
    page = chosen(given.run, given.brief)
    with a_browser() as browser:
        for name, image in taken(browser, page, given.run / "index.html"):
            (IMAGES / name).write_bytes(image)
            print(f"docs/images/{name}  {len(image) / 1000:.0f} kB")


def chosen(run: Path, brief: str | None) -> Path:
    """Return the page of a brief, by its id or by the size of its plan."""
    html = (run / "index.html").read_text(encoding="utf-8")
    found = re.search(r'id="data">(.*?)</script>', html, re.DOTALL)
    entries = json.loads(found[1])["briefs"] if found else []
    known = [entry for entry in entries if brief in (None, entry["id"])]
    if not known:
        raise SystemExit(f"Got brief {brief} but expected one of {[e['id'] for e in entries]}")
    best = max(known, key=lambda entry: (entry.get("plan", {}).get("kols", 0), entry["matched"]))
    return run / str(best["file"])


def taken(browser: Any, page: Path, index: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each screenshot."""
    shots = [(page, shot) for shot in SHOTS]
    shots.append((index, Shot("page_index_zh.png", "zh", 1440, 760)))
    for address, shot in shots:
        context = browser.new_context(
            viewport={"width": shot.width, "height": shot.height},
            device_scale_factor=shot.scale,
            reduced_motion="reduce",
        )
        tab = context.new_page()
        tab.goto(f"{address.resolve().as_uri()}#lang={shot.language}")
        if shot.act:
            tab.evaluate(shot.act)
        tab.wait_for_timeout(300)
        yield shot.name, smaller(tab.screenshot())
        context.close()


def smaller(png: bytes) -> bytes:
    """Return a screenshot in 256 colours, which is all that a page of flat colours needs."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    # Without dithering, which would put specks on flat grounds.
    few = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    out = io.BytesIO()
    few.save(out, "PNG", optimize=True)
    if out.tell() > MOST:
        raise SystemExit(f"Got a screenshot of {out.tell()} bytes but expected at most {MOST}")
    return out.getvalue()


if __name__ == "__main__":
    main()
