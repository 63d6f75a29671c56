"""Pages as files: whole, the same each time, and nothing in them that anybody wrote is markup."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.reasons.contrast import TEMPLATES
from serving import page
from serving.page import embedded, page_name, render_proposal, write_pages
from serving.page_words import CODES, LABELS, NOTES
from serving.proposal import Proposal, proposals
from tests.hostile import HOSTILE
from tests.serving.sample import BARE, BRIEF, bare, sample

HOME = files("serving").joinpath("templates")
SCRIPTS = {
    name: HOME.joinpath(f"{name}.js").read_text(encoding="utf-8")
    for name in dict.fromkeys((*page._PROPOSAL, *page._INDEX))
}


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the texts of its scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(attrs)))
        self.open = tag

    def handle_data(self, data: str) -> None:
        if self.open in ("script", "style"):
            self.texts.append((self.open, data))

    def handle_endtag(self, tag: str) -> None:
        self.open = ""

    def names(self) -> list[str]:
        return [tag for tag, _ in self.found]

    def data(self) -> Any:
        return json.loads(next(text for tag, text in self.texts if tag == "script"))


def with_text(text: str) -> Proposal:
    """Return a proposal in which every text that somebody else wrote is this."""
    both = {"zh": [text], "en": [text]}
    kol = {"id": text, "hue": 1, "rank": 1, "name": text, "bio": text, "currency": text}
    kol |= {"platform": text, "reasons": both, "price": 1.5, "posts": [{"text": text}]}
    brief = {"id": text, "brand": text, "title": text, "text": text, "goal": text, "currency": text}
    run = {"id": "r", "as_of": "2026-06-30 00:00", "basis": "outcomes"}
    data = {"run": run, "brief": brief, "kols": [kol], "plans": [], "funnel": []}
    return Proposal("b", data | {"names": {}, "advice": {}})


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_becomes_markup(text: str) -> None:
    html = render_proposal(with_text(text), "zh")
    plain = Elements(render_proposal(with_text("plain"), "zh"))
    told = Elements(html)
    assert told.names() == plain.names()
    assert [a for t, a in told.found if t != "meta"] == [a for t, a in plain.found if t != "meta"]
    assert told.data()["brief"]["text"] == text


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_hostile_text_becomes_markup(kind: str) -> None:
    told = Elements(render_proposal(with_text(HOSTILE[kind]), "en"))
    assert told.names() == Elements(render_proposal(with_text("plain"), "en")).names()
    assert told.data()["kols"][0]["name"] == HOSTILE[kind]


@given(st.recursive(st.text() | st.none() | st.integers(), st.lists))
def test_embedded_data_stays_what_it_was_and_ends_no_script(data: Any) -> None:
    text = embedded(data)
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == data


def test_a_page_allows_its_own_script_and_style_by_hash_and_nothing_else(tmp_path: Path) -> None:
    for path in write_pages(tmp_path, *sample(3), "zh"):
        told = Elements(path.read_text(encoding="utf-8"))
        policy = next(
            str(dict(attrs)["content"])
            for tag, attrs in told.found
            if ("http-equiv", "Content-Security-Policy") in attrs
        )
        style = "".join(text for tag, text in told.texts if tag == "style")
        scripts = [text for tag, text in told.texts if tag == "script"]
        digest = [
            base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            for text in (scripts[-1], style)
        ]
        assert len(scripts) == 2
        assert "default-src 'none'" in policy
        assert f"script-src 'sha256-{digest[0]}';" in policy
        assert f"style-src 'sha256-{digest[1]}';" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy


def test_a_page_names_no_address_but_its_neighbours(tmp_path: Path) -> None:
    made = write_pages(tmp_path, *sample(3, hostile=True), "zh")
    for path in made:
        told = Elements(path.read_text(encoding="utf-8"))
        links = {
            value for _, attrs in told.found for name, value in attrs if name in ("href", "src")
        }
        assert links <= {"#main", *(page.name for page in made)}
        assert {tag for tag, _ in told.found} <= {
            *("html", "head", "meta", "title", "style", "body", "a", "div", "noscript", "main"),
            *("p", "h1", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "script"),
        }


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_have_no_means_of_making_markup_or_of_asking_the_network(name: str) -> None:
    script = SCRIPTS[name]
    for means in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
    ):
        assert means not in script
    for means in (
        "fetch(",
        "XMLHttp",
        "import(",
        "WebSocket",
        "EventSource",
        "sendBeacon",
        "Image(",
    ):
        assert means not in script
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", script)


def test_two_hundred_matches_with_every_detail_fit_in_three_megabytes(tmp_path: Path) -> None:
    made = write_pages(tmp_path, *sample(200), "zh")
    assert max(path.stat().st_size for path in made) < 3_000_000


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    pages = [
        [path.read_bytes() for path in write_pages(tmp_path / name, *sample(5), "zh")]
        for name in ("one", "two")
    ]
    assert pages[0] == pages[1]


def test_the_order_of_rows_in_the_tables_changes_nothing() -> None:
    published, tables = sample(5)
    turned = tables.replace(kols=tables.kols[::-1], posts=tables.posts[::-1])
    assert proposals(published, turned) == proposals(published, tables)


def test_pages_lie_beside_the_lists_the_index_last(tmp_path: Path) -> None:
    made = write_pages(tmp_path, *sample(3), "en")
    assert [path.relative_to(tmp_path).as_posix() for path in made] == [
        "20260630-v3/brief-b1.html",
        "20260630-v3/brief-b2.html",
        "20260630-v3/index.html",
    ]
    index = Elements(made[-1].read_text(encoding="utf-8")).data()
    assert [entry["file"] for entry in index["briefs"]] == ["brief-b1.html", "brief-b2.html"]
    assert index["briefs"][0]["matched"] == 3
    assert "plan" not in index["briefs"][1]
    assert sorted(path.name for path in made[0].parent.iterdir()) == sorted(p.name for p in made)


@pytest.mark.parametrize("brief_id", [BARE, "index", "../../x", "CON", "a/b\\c", "", "长" * 300])
def test_no_brief_leads_out_of_the_folder_or_over_the_index(brief_id: str) -> None:
    name = page_name(brief_id)
    assert re.fullmatch(r"brief-[^/\\:*?\"<>|.]{1,100}\.html", name)
    assert name != "index.html"


def test_a_run_of_which_little_is_known_has_its_page(tmp_path: Path) -> None:
    for language in ("zh", "en"):
        first, index = write_pages(tmp_path, *bare(), language)  # type: ignore[arg-type]
        assert Elements(first.read_text(encoding="utf-8")).data()["kols"][1]["rank"] == 2
        assert f'"language":"{language}"' in index.read_text(encoding="utf-8")


def test_whoever_runs_no_script_can_read_the_list() -> None:
    published, tables = sample(3)
    one = next(one for one in proposals(published, tables) if one.brief_id == BRIEF)
    html = render_proposal(one, "zh").partition("<noscript>")[2].partition("</noscript>")[0]
    assert "栗子护肤日记" in html
    assert "近30天播放中位数" in html
    assert html.count("<tr>") == 4


def test_a_language_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Got language='fr' but expected 'zh' or 'en'"):
        write_pages(tmp_path, *bare(), "fr")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


# -- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [LABELS, NOTES, *CODES.values()])
def test_everything_is_said_in_both_languages(words: dict[str, Any]) -> None:
    for key, text in words.items():
        assert text.zh.strip()
        assert text.en.strip()
        assert set(re.findall(r"\{(\w+)\}", text.zh)) == set(re.findall(r"\{(\w+)\}", text.en)), key
        # Trade terms such as CPM are the same in both; anything else has Chinese characters.
        if not re.fullmatch(r"[A-Z]{3}|\{.*\}", text.zh):
            assert re.search(r"[\u4e00-\u9fff]", text.zh), key
        assert not re.search(r"[\u4e00-\u9fff]", text.en), key


def test_every_label_is_used_and_every_label_that_is_used_exists() -> None:
    text = "\n".join(SCRIPTS.values())
    templates = [
        HOME.joinpath(f"{name}.html.j2").read_text("utf-8")
        for name in ("frame", "proposal", "index")
    ]
    named = set(re.findall(r'"([a-z]+(?:\.[a-z_0-9]+)+)"', "\n".join([text, *templates])))
    prefixes = set(re.findall(r"`([a-z.]+\.)\$\{", text))
    named -= {page.INDEX}
    assert {name for name in named if name.split(".")[0] in _groups()} <= set(LABELS)
    used = {key for key in LABELS if key in named or any(key.startswith(p) for p in prefixes)}
    used |= {key for key in LABELS if f'"{key}"' in text}
    assert set(LABELS) - used == set()


def _groups() -> set[str]:
    return {key.split(".")[0] for key in LABELS if "." in key}


def test_the_words_for_setting_two_apart_are_those_of_the_matcher() -> None:
    published, tables = sample(2)
    html = render_proposal(proposals(published, tables)[0], "zh")
    assert Elements(html).data()["contrast"] == json.loads(json.dumps(dict(TEMPLATES)))


def test_a_time_zone_does_not_move_a_day() -> None:
    published, tables = sample(2)
    data = proposals(published, tables)[0].data
    assert data["brief"]["ends"] == "2026-10-15"
    assert data["run"]["as_of"] == "2026-06-30 00:00"
    assert pd.Timestamp(data["kols"][0]["growth"]["followers"][-1][0]) <= pd.Timestamp("2026-06-30")


def test_a_page_says_that_an_older_copy_of_the_model_served_and_how_old_it_is(
    tmp_path: Path,
) -> None:
    published, tables = sample(5)
    made = published.run.created_at - pd.Timedelta(days=41, hours=3)
    old = replace(published.run, trained_at=made, stale="the registry is <away>")
    words = {
        "en": "the last good copy served, model v3, trained on 2026-05-19 22:00, 41 days before",
        "zh": "最近一份完好副本（模型 v3，训练于 2026-05-19 22:00，距今 41 天）",
    }
    for language, told in words.items():
        for path in write_pages(tmp_path, replace(published, run=old), tables, language):
            text = path.read_text(encoding="utf-8")
            assert told in text
            assert "<away>" not in text
    for path in write_pages(tmp_path, published, tables, "en"):
        assert "the last good copy served, model v3" not in path.read_text(encoding="utf-8")
