"""Pages as people use them, in a real browser: from a file, without a network."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from features.evidence import excerpt
from matcher.reasons.contrast import contrast
from serving.page import write_pages
from serving.proposal import proposals
from tests.hostile import HOSTILE
from tests.serving.browsing import a_browser
from tests.serving.sample import BRIEF, bare, sample

WIDTHS = (1440, 1024, 390)
HEIGHT = 900
LANGUAGES = ("zh", "en")
SEVERE = ("serious", "critical")


@cache
def run(hostile: bool = False) -> Any:
    """Return the run whose pages are opened, and its tables."""
    return sample(hostile=hostile)


@cache
def told(hostile: bool = False) -> Any:
    """Return what the page of the first brief tells."""
    return proposals(*run(hostile))[0].data


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with a_browser() as made:
        yield made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the page of each kind: usual, written by somebody who means harm, empty, bare."""
    home = tmp_path_factory.mktemp("pages")
    made = {
        "sample": write_pages(home / "sample", *run(), "zh"),
        "hostile": write_pages(home / "hostile", *run(hostile=True), "zh"),
        "few": write_pages(home / "few", *sample(6), "zh"),
        "bare": write_pages(home / "bare", *bare(), "zh"),
    }
    return {name: files[0] for name, files in made.items()} | {
        "nobody": made["sample"][1],
        "index": made["sample"][-1],
    }


class Visit:
    """One page that is open, and whatever went wrong on it."""

    def __init__(self, browser: Any, path: Path, language: str, width: int) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": HEIGHT})
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.wrong: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda told: self.wrong.append(f"{told.type}: {told.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(f"dialog: {dialog.message}"))
        self.page.goto(f"{path.as_uri()}#lang={language}")

    def texts(self, selector: str) -> list[str]:
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]

    def ranks(self) -> list[int]:
        rows = self.page.locator("#rows tr").all()
        return [int(row.get_attribute("data-rank")) for row in rows]

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text()).strip()


Opens = Callable[..., Visit]


@pytest.fixture
def visit(browser: Any, site: dict[str, Path]) -> Iterator[Opens]:
    opened: list[Visit] = []

    def go(name: str = "sample", language: str = "zh", width: int = 1440) -> Visit:
        opened.append(Visit(browser, site[name], language, width))
        return opened[-1]

    yield go
    for one in opened:
        assert one.wrong == []
        assert [url for url in one.asked if not url.startswith("file:")] == []
        one.context.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["sample", "hostile", "nobody", "bare", "index"])
def test_it_opens_without_an_error_and_asks_for_nothing(
    visit: Opens, name: str, language: str
) -> None:
    one = visit(name, language)
    assert one.page.locator("main h2, main table").first.is_visible()
    assert one.page.evaluate("document.documentElement.lang").startswith(language)
    assert len(one.asked) == 1


def faults(page: Any) -> list[str]:
    """Return what keeps somebody from reading or using a page, as axe-core finds it."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"resultTypes": ["violations"]}).response
    return [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found["violations"]
        if fault["impact"] in SEVERE
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_anybody_can_read_and_use_it(visit: Opens, width: int, language: str) -> None:
    one = visit("few", language, width)
    one.page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    one.page.check("#pick-1")
    assert faults(one.page) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_anybody_can_read_and_use_what_opens_and_where_it_leads(
    visit: Opens, language: str
) -> None:
    one = visit("few", language)
    one.page.emulate_media(reduced_motion="reduce")  # half slid in it is half transparent
    one.page.locator("#rows .name").first.click()
    one.page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    assert faults(one.page) == []
    one.page.keyboard.press("Escape")
    for rank in (1, 2):
        one.page.check(f"#pick-{rank}")
    one.page.click("#compare")
    assert faults(one.page) == []
    for name in ("index", "bare"):
        assert faults(visit(name, language).page) == []


@pytest.mark.parametrize("name", ["sample", "hostile", "index"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_runs_out_of_the_window(visit: Opens, language: str, name: str) -> None:
    one = visit(name, language)
    for width in (*WIDTHS, 320):
        one.page.set_viewport_size({"width": width, "height": HEIGHT})
        assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    if name != "index":
        one.page.locator("#rows .name").nth(2).click()
        for width in (*WIDTHS, 320):
            one.page.set_viewport_size({"width": width, "height": HEIGHT})
            spare = one.page.locator("#drawer").evaluate("d => d.clientWidth - d.scrollWidth")
            assert spare >= 0


def test_columns_sort_by_pointer_and_by_key(visit: Opens) -> None:
    one = visit()
    kols = told()["kols"]
    by_price = sorted(kols, key=lambda kol: (kol["price"], kol["rank"]))
    one.page.locator("#sort-price").click()
    assert one.ranks() == [kol["rank"] for kol in by_price]
    head = one.page.locator("th[data-key=price]")
    assert head.get_attribute("aria-sort") == "ascending"
    one.page.locator("#sort-price").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert one.ranks()[0] == by_price[-1]["rank"]
    one.page.locator("#sort-views").press("Space")
    by_views = sorted(kols, key=lambda kol: (-kol["views"][1], kol["rank"]))
    assert one.ranks() == [kol["rank"] for kol in by_views]
    assert head.get_attribute("aria-sort") == "none"
    assert one.page.evaluate("document.activeElement.id") == "sort-views"


def test_a_narrow_window_sorts_by_a_choice(visit: Opens) -> None:
    one = visit(width=390)
    one.page.select_option("#sort-select", "fit")
    assert one.ranks() == list(range(1, 31))
    one.page.select_option("#sort-select", "risk")
    risks = [kol["risk"] for kol in told()["kols"]]
    assert [risks[rank - 1] for rank in one.ranks()] == sorted(risks)


def test_filters_and_search_narrow_the_list_and_can_be_undone(visit: Opens) -> None:
    one = visit(language="en")
    kols = told()["kols"]
    one.page.select_option("#filter-platform", "bilibili")
    expected = [kol["rank"] for kol in kols if kol["platform"] == "bilibili"]
    assert one.ranks() == expected
    assert one.text("#count") == f"{len(expected)} of 30 KOLs"
    one.page.fill("#filter-max", "8000")
    expected = [r for r in expected if kols[r - 1]["price"] <= 8000]
    assert one.ranks() == expected
    one.page.check("#filter-planned")
    assert set(one.ranks()) < set(expected)
    one.page.click("#reset")
    assert one.ranks() == list(range(1, 31))
    assert one.page.locator("#reset").is_hidden()
    one.page.fill("#search", "成分党 may")
    assert one.ranks() == [2]
    one.page.fill("#search", "nobody is called this")
    assert one.page.locator("#none").is_visible()
    one.page.fill("#search", "")
    one.page.select_option("#filter-risk", "low")
    assert all(kols[rank - 1]["risk"] < 0.2 for rank in one.ranks())


def test_the_language_changes_at_once_and_is_remembered(visit: Opens) -> None:
    one = visit()
    assert one.text("#matches-title") == "推荐达人"
    one.page.click("#lang-en")
    assert one.text("#matches-title") == "Matches"
    assert one.page.evaluate("location.hash") == "#lang=en"
    assert one.page.evaluate("document.activeElement.id") == "lang-en"
    one.page.reload()
    assert one.text("#matches-title") == "Matches"
    assert one.page.locator("#lang-en").get_attribute("aria-pressed") == "true"
    # Names stay as they are; everything else on the page is in one language.
    labels = one.texts("th, dt, h2, h3, .tag, .segment button:not([lang]), label")
    assert [text for text in labels if re.search(r"[\u4e00-\u9fff]", text)] == []


def test_a_row_opens_reasons_evidence_and_clauses_by_key_alone(visit: Opens) -> None:
    one = visit()
    name = one.page.locator("#rows .name").nth(2)
    name.press("Enter")
    drawer = one.page.locator("#drawer")
    assert one.text("#drawer-name") == "小鹿不上班"
    assert "高于同量级 83% 的达人" in drawer.inner_text()
    risk = drawer.locator("details.risk").first
    assert "k002-p0" not in drawer.inner_text()
    risk.locator("summary").press("Enter")
    assert "作品 k002-p0 出现绝对化用语" in risk.inner_text()
    assert "建议条款" in risk.inner_text()
    assert "广告合规条款" in risk.inner_text()
    assert "换季泛红怎么办" in drawer.inner_text()
    one.page.click("#drawer-next")
    assert one.text("#drawer-name") == "老陈测评"
    one.page.keyboard.press("Escape")
    assert drawer.is_hidden()
    assert name.evaluate("name => name === document.activeElement")


def test_the_slider_changes_the_plan_and_all_that_rests_on_it(visit: Opens) -> None:
    one = visit()
    plans = told()["plans"]
    at = next(n for n, plan in enumerate(plans) if plan["step"] == 1)

    def shown() -> tuple[int, int, str]:
        members = one.page.locator("#plan-members tbody tr").count()
        marked = one.page.locator("#rows tr.in").count()
        return members, marked, one.texts("#kpis .big")[1]

    assert shown() == (
        len(plans[at]["chosen"]),
        len(plans[at]["chosen"]),
        str(len(plans[at]["chosen"])),
    )
    assert one.page.locator("#plan-left tbody tr").count() == len(plans[at]["left"])
    before = one.texts("#kpis .big")
    slider = one.page.locator("#step")
    for _ in range(3):
        slider.press("ArrowRight")
    more = len(plans[at + 3]["chosen"])
    assert shown() == (more, more, str(more))
    assert one.texts("#kpis .big")[0] != before[0]
    assert "130%" in slider.get_attribute("aria-valuetext")
    slider.press("Home")
    assert shown()[0] == len(plans[0]["chosen"])
    assert one.page.evaluate("document.activeElement.id") == "step"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_curve_says_from_where_on_more_budget_brings_no_more(
    browser: Any, site: dict[str, Path], tmp_path: Path, language: str
) -> None:
    head, data, tail = re.split(
        r'(?<=id="data">)(.*?)(?=</script>)', site["sample"].read_text("utf-8"), flags=re.DOTALL
    )

    def said(values: list[float], status: str = "optimal") -> str:
        page = json.loads(data)
        page["plans"] = page["plans"][: len(values)]
        for plan, value in zip(page["plans"], values, strict=True):
            plan |= {"value": value, "values": None, "status": status}
        path = tmp_path / "page.html"
        path.write_text(head + json.dumps(page).replace("<", "\\u003c") + tail, "utf-8")
        one = Visit(browser, path, language, 1440)
        assert one.wrong == []
        notes = one.texts("#plan-curve .about")[1:]
        one.context.close()
        return " ".join(notes)

    budget = [plan["budget"] for plan in told()["plans"]]
    shown = [f"¥{n / 1000:g}k" if language == "en" else f"¥{n:,}" for n in budget]
    assert shown[1] in said([5.0, 9.0, 9.01, 9.0])
    assert shown[0] in said([9.0, 9.0])
    assert said([5.0, 7.0, 9.0]) == said([0.0, 0.0]) == said([9.0, 9.0], "time_limit") == ""


def test_the_budget_is_split_three_ways_of_the_same_sum(visit: Opens) -> None:
    one = visit()
    for by in ("platform", "tier", "mode"):
        one.page.click(f"#split-{by}")
        parts = [float(text.rstrip("%")) for text in one.texts("#plan-split .part")]
        assert sum(parts) == pytest.approx(100, abs=len(parts))
        assert parts == sorted(parts, reverse=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_two_side_by_side_are_set_apart_in_the_matchers_words(visit: Opens, language: str) -> None:
    one = visit(language=language)
    kols = told()["kols"]
    for first, second in ((1, 3), (5, 2), (30, 12), (7, 8)):
        for rank in (first, second):
            one.page.check(f"#pick-{rank}")
        one.page.click("#compare")
        sides = [kols[rank - 1]["side"] for rank in (first, second)]
        assert one.texts("#contrast li") == contrast(sides[0], sides[1], language)  # type: ignore[arg-type]
        one.page.keyboard.press("Escape")
        one.page.click("#compare-clear")
    assert one.page.locator("#tray").is_hidden()


@pytest.mark.parametrize(("name", "least"), [("few", 6), ("bare", 3)])
def test_it_prints_as_a_proposal(visit: Opens, name: str, least: int) -> None:
    one = visit(name)
    pdf = one.page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= least
    found = re.findall(rb"/MediaBox\s*\[([^]]+)\]", pdf)
    (box,) = {tuple(map(float, box.split())) for box in found}
    assert box[2:] == pytest.approx((595, 842), abs=1)  # A4
    assert one.page.locator("#print .paper").count() == 0  # laid out for print alone


def test_paper_has_a_cover_the_plan_and_a_page_for_each_of_its_kols(visit: Opens) -> None:
    one = visit()
    one.page.emulate_media(media="print")
    one.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert "屏障修护面霜" in one.text(".paper.cover")
    members = next(len(plan["chosen"]) for plan in told()["plans"] if plan["step"] == 1)
    assert one.page.locator(".paper.portrait").count() == min(members, 12)
    assert one.page.locator("main").is_hidden()
    one.page.set_viewport_size({"width": 695, "height": HEIGHT})  # A4 less its margins, in CSS px
    tall = one.page.evaluate("[...document.querySelectorAll('.portrait')].map(p => p.clientHeight)")
    assert max(tall) < 1043
    ids = one.page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    one.page.evaluate("dispatchEvent(new Event('afterprint'))")
    one.page.emulate_media(media="screen")
    assert one.page.locator("main").is_visible()


def test_what_means_harm_is_text(visit: Opens) -> None:
    one = visit("hostile")
    count = one.page.evaluate
    assert count("document.querySelectorAll('script').length") == 2
    assert (
        count("document.querySelectorAll('img, iframe, object, embed, form, link, base').length")
        == 0
    )
    links = set(count("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"))
    assert links <= {"#main", "index.html#lang=zh", "#plan", "#matches", "#insight", "#method"}
    shown = one.page.evaluate(
        """[...document.querySelectorAll("#rows .name")].map(name => {
            name.click();
            const drawer = document.getElementById("drawer");
            return [drawer.querySelector("h2").textContent, drawer.textContent];
        })"""
    )
    kols = told(hostile=True)["kols"]
    for (name, text), kol in zip(shown, kols, strict=True):
        assert name == kol.get("name", kol["id"])
        for written in (kol.get("bio", ""), *kol["reasons"].get("zh", ()), kol.get("mcn", "")):
            assert written in text
    everything = "\n".join(text for _, text in shown)
    for written in HOSTILE.values():
        assert excerpt(written[:400], 30)[:20] in everything
    one.page.keyboard.press("Escape")
    one.page.click("#lang-en")
    one.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert count("document.querySelectorAll('script').length") == 2


def test_the_index_searches_and_leads_to_the_brief_in_the_readers_language(visit: Opens) -> None:
    one = visit("index", "en")
    assert one.page.locator("#rows tr").count() == 2
    one.page.fill("#search", "b1")
    assert one.page.locator("#rows tr").count() == 1
    one.page.locator("#rows a").click()
    assert one.page.url.endswith("brief-b1.html#lang=en")
    assert one.text("#matches-title") == "Matches"
    one.page.locator("a.back").click()
    assert one.page.url.endswith("index.html#lang=en")
    one.page.fill("#search", "nothing")
    assert one.page.locator("#none").is_visible()


def test_whoever_blocks_scripts_still_reads_the_list(browser: Any, site: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site["few"].as_uri())
    assert page.locator("noscript table tbody tr").count() == 6
    assert "栗子护肤日记" in page.locator("noscript").inner_text()
    context.close()


def test_the_brief_that_nobody_matches_says_so(visit: Opens) -> None:
    one = visit("nobody")
    assert "没有符合条件的达人" in one.text("#matches")
    assert "这一档预算没有可行的组合" in one.text("#plan")
    assert BRIEF not in one.text("#method")


def test_a_run_from_content_alone_says_so_at_the_top(visit: Opens) -> None:
    assert "不预测成效" in visit("bare").text(".notice")
    assert visit("sample").page.locator(".notice").count() == 0
