"""The lists for people, read back as a spreadsheet reads them."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils import get_column_letter

from features.formulas import harmless
from matcher import names
from matcher.risk.advice import ADVICE
from serving import headings, results, sheets, workbook
from serving.cells import clean
from serving.publish import Run
from serving.workbook import write_files
from tests.serving import campaign
from tests.serving.campaign import RUN

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")

BRIEFS = pd.DataFrame(
    {
        "brief_id": ["b1", "b2", "b3"],
        "title": ["夏季防晒", None, "Nobody"],
        "brand_name": ["=HYPERLINK(1)", "Acme", "Acme"],
    }
)
MATCHES = pd.DataFrame(
    {
        "brief_id": ["b1", "b1", "b2"],
        "rank": [1, 2, 1],
        "kol_id": ["1234567890123456789", "60e12345", "007"],
        "platform": ["douyin", "bilibili", "youtube"],
        "display_name": ["小红", "=cmd|' /C calc'!A0", None],
        "tier": ["micro", "mega", None],
        "followers": [12345.0, 2e6, np.nan],
        "mode": ["live_commerce", "sponsorship", None],
        "price": [1234.5, 1000.0, np.nan],
        "currency": ["CNY", "CNY", None],
        "fit": [0.913, 0.5, 0.25],
        "score": [2.0, 1.5, -0.25],
        "cvr": [0.0123, np.nan, 0.0],
        "risk": [0.0, 0.2, np.nan],
        "views_p50": [5000.0, 0.0, np.nan],
        "roi_p10": [-0.25, np.nan, 1.5],
        "median_views": [5000.0, 0.0, np.nan],
        "reasons_en": [("Close to the brief", "Cheap"), (), ("-1+1",)],
        "reasons_zh": [("内容相近", "报价低"), (), ("-1+1",)],
        "evidence": [{"content.best": 0.62345, "post_id": "p9"}, {}, {"x": 2}],
        "basis": ["outcomes"] * 3,
        "list_chance": [1.0, 0.04, np.nan],
        "explored": pd.array([False, True, None], dtype="boolean"),
    }
)
MATCHES = MATCHES.reindex(columns=results.MATCHES.names)
EXCLUSIONS = pd.DataFrame(
    {
        "brief_id": ["b1", "b1", "b2", "b3", "b3"],
        "reason": ["platform", "eligible", "eligible", "price", "eligible"],
        "kols": [6, 2, 8, 8, 0],
        "text_en": ["other platform", "may serve", "may serve", "too dear", "may serve"],
        "text_zh": ["平台不符", "符合条件", "符合条件", "报价过高", "符合条件"],
    }
)


def written(folder: Path, language: str = "en", **changes: Any) -> dict[str, Any]:
    values = {"run": RUN, "matches": MATCHES, "exclusions": EXCLUSIONS, "briefs": BRIEFS} | changes
    made = write_files(folder, language=language, **values)  # type: ignore[arg-type]
    assert [path.name for path in made] == [f"matches.{language}.csv", f"matches.{language}.xlsx"]
    with made[0].open(encoding="utf-8-sig", newline="") as file:
        return {"csv": list(csv.reader(file)), "book": openpyxl.load_workbook(made[1])}


def column(sheet: Any, head: str) -> list[Any]:
    at = [cell.value for cell in sheet[1]].index(head) + 1
    return [sheet.cell(row, at) for row in range(2, sheet.max_row + 1)]


def span(sheet: Any, head: str, last: int) -> str:
    letter = get_column_letter([cell.value for cell in sheet[1]].index(head) + 1)
    return f"{letter}2:{letter}{last}"


def hidden(sheet: Any, head: str) -> bool:
    letter = get_column_letter([cell.value for cell in sheet[1]].index(head) + 1)
    return any(
        d.hidden and d.min <= sheet[f"{letter}1"].column <= d.max
        for d in sheet.column_dimensions.values()
    )


def values(sheet: Any, head: str) -> list[Any]:
    return [cell.value for cell in column(sheet, head)]


def test_numbers_stay_numbers_and_ids_text(tmp_path: Path) -> None:
    sheet = written(tmp_path)["book"]["Matches"]

    assert values(sheet, "KOL ID") == ["1234567890123456789", "60e12345", "007"]
    assert values(sheet, "Brief") == ["夏季防晒", "夏季防晒", None]
    assert values(sheet, "Rank") == [1, 2, 1]
    assert values(sheet, "Followers") == [12345, 2_000_000, None]
    told = [cell.number_format for cell in column(sheet, "Price")]
    assert told[:2] == ['[<100]"¥"#,##0.00;"¥"#,##0'] * 2
    assert told[2] == "[<100]#,##0.00;#,##0"
    assert [cell.number_format for cell in column(sheet, "Fit")] == ["0.0%"] * 3
    assert values(sheet, "Fit") == [0.913, 0.5, 0.25]
    assert values(sheet, "Views") == [5000, 0, None]
    assert values(sheet, "ROI, low") == [-0.25, None, 1.5]
    assert [cell.number_format for cell in column(sheet, "ROI, low")] == ["0.00"] * 3
    assert values(sheet, "Reasons") == ["Close to the brief\nCheap", None, "-1+1"]
    assert values(sheet, "Evidence") == ["closest post to brief 0.62; post id p9", None, "x 2"]
    assert values(sheet, "Mode") == ["live commerce", "sponsorship", None]


def test_the_sheet_is_ready_to_use(tmp_path: Path) -> None:
    sheet = written(tmp_path)["book"]["Matches"]

    assert sheet.freeze_panes == "F2"
    assert sheet.auto_filter.ref == f"A1:{get_column_letter(len(headings.MATCHES))}4"
    shown = {str(rules.sqref): rules.rules for rules in sheet.conditional_formatting}
    for head, kind in {"Fit": "dataBar", "Risk": "dataBar", "ROI, low": "cellIs"}.items():
        (rule,) = shown[span(sheet, head, 4)]
        assert rule.type == kind
    assert shown[span(sheet, "Watch", 4)][0].type == "notContainsBlanks"
    assert column(sheet, "Reasons")[0].alignment.wrap_text


def test_chinese_lists_are_chinese_throughout(tmp_path: Path) -> None:
    made = written(tmp_path, "zh")
    sheet = made["book"]["匹配结果"]

    assert made["book"].sheetnames == ["匹配结果", "效果预估", "排除情况", "说明"]
    assert values(sheet, "平台") == ["抖音", "B站", "YouTube"]
    assert values(sheet, "合作形式") == ["直播带货", "赞助", None]
    assert values(sheet, "推荐理由")[0] == "内容相近\n报价低"
    assert values(made["book"]["排除情况"], "原因")[0] == "平台不符"
    heads = set(made["csv"][0])
    assert {"达人昵称", "报价", "匹配度", "预估转化率", "播放中位数", "推荐理由"} <= heads


def test_who_was_refused_is_counted_for_every_brief(tmp_path: Path) -> None:
    sheet = written(tmp_path)["book"]["Excluded"]

    assert values(sheet, "Brief ID") == ["b1", "b1", "b2", "b3", "b3"]
    assert values(sheet, "Reason")[:2] == ["other platform", "may serve"]
    assert values(sheet, "KOLs") == [6, 2, 8, 8, 0]
    assert values(sheet, "Share") == [0.75, 0.25, 1, 1, 0]
    assert values(sheet, "Listed") == [2, 2, 1, 0, 0]


def test_a_run_without_matches_explains_itself(tmp_path: Path) -> None:
    made = written(tmp_path, matches=MATCHES.head(0), exclusions=EXCLUSIONS.tail(2))

    assert made["book"]["Matches"]["A2"].value == headings.ABSENT["matches"].en
    assert values(made["book"]["Excluded"], "Reason") == ["too dear", "may serve"]
    assert len(made["csv"]) == 1


def test_the_about_sheet_says_what_the_ranking_rests_on(tmp_path: Path) -> None:
    cells = [tuple(c.value for c in row) for row in written(tmp_path)["book"]["About"].rows]
    assert cells[0][0] == headings.FROM_OUTCOMES.en
    assert ("Run", "20260630-v3") in cells
    assert ("Known before (UTC)", "2026-06-30 00:00:00") in cells
    assert ("Model version", "3") in cells
    assert {"Fit", "Conversion", "Median views"} <= {row[0] for row in cells}

    bare = Run(**(vars(RUN) | {"basis": "content", "model_version": None}))
    unfit = MATCHES.assign(fit=np.nan, basis="content")
    book = written(tmp_path, run=bare, matches=unfit)["book"]
    assert book["About"]["A1"].value == headings.CONTENT_ONLY.en
    assert values(book["Matches"], "Basis") == ["content only"] * 3
    assert values(book["Matches"], "Fit") == [None] * 3
    spans = [str(r.sqref) for r in book["Matches"].conditional_formatting]
    assert span(book["Matches"], "Score", 3) in spans  # a brief's own
    assert span(book["Matches"], "Fit", 4) not in spans
    assert hidden(book["Matches"], "Fit")
    assert not hidden(book["Matches"], "Score")

    judged = Run(**(vars(RUN) | {"basis": "judgments"}))
    book = written(tmp_path, run=judged, matches=MATCHES.assign(basis="judgments"))["book"]
    assert book["About"]["A1"].value == headings.FROM_JUDGMENTS.en
    assert values(book["Matches"], "Basis") == ["judgments"] * 3


@given(st.text())
def test_no_csv_text_starts_a_formula(text: str) -> None:
    told = harmless(clean(text))
    assert told.lstrip()[:1] not in {"=", "+", "-", "@", "＝", "＋", "－", "＠"}
    assert told[:1] not in {"\t", "\r", "\n"}


@given(st.text(st.characters(max_codepoint=0x2FF) | st.sampled_from("\ud800\ufffe\uffff")))
def test_cleaned_text_fits_in_xml(text: str) -> None:
    kept = clean(text)
    assert all(c in "\t\n" or c >= " " for c in kept)
    kept.encode("utf-8")


def test_text_too_long_for_a_cell_is_cut_where_it_shows(tmp_path: Path) -> None:
    sheet = written(tmp_path, briefs=BRIEFS.assign(title="长" * 40_000))["book"]["Matches"]

    title = values(sheet, "Brief")[0]
    assert len(title) == 32_767
    assert title.endswith("长…")


def test_csv_holds_plain_numbers(tmp_path: Path) -> None:
    head, first, second, _ = written(tmp_path)["csv"]

    row = dict(zip(head, first, strict=True))
    assert (row["Followers"], row["Price"], row["Fit"]) == ("12345", "1234.5", "0.913")
    assert row["Brand"] == "'=HYPERLINK(1)"
    row = dict(zip(head, second, strict=True))
    assert (row["Conversion"], row["KOL ID"]) == ("", "60e12345")
    assert (tmp_path / RUN.run_id / "matches.en.csv").read_bytes()[:3] == b"\xef\xbb\xbf"


def test_more_rows_than_a_sheet_holds_go_on_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "MAX_ROWS", 2)
    book = written(tmp_path)["book"]

    assert book.sheetnames == [
        "Matches",
        "Matches 2",
        "Forecast",
        "Excluded",
        "Excluded 2",
        "Excluded 3",
        "About",
    ]
    assert values(book["Matches 2"], "KOL ID") == ["007"]


def test_the_same_run_gives_the_same_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    first = [
        path.read_bytes() for path in write_files(tmp_path, RUN, MATCHES, EXCLUSIONS, BRIEFS, "en")
    ]
    again = [
        path.read_bytes() for path in write_files(tmp_path, RUN, MATCHES, EXCLUSIONS, BRIEFS, "en")
    ]

    assert first == again
    assert [path.name for path in tmp_path.iterdir()] == [RUN.run_id]
    assert len(list((tmp_path / RUN.run_id).iterdir())) == 2


def test_files_that_cannot_be_finished_leave_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [
        path.read_bytes() for path in write_files(tmp_path, RUN, MATCHES, EXCLUSIONS, BRIEFS, "en")
    ]

    def full_disk(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(workbook, "_write_workbook", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_files(tmp_path, RUN, MATCHES.head(1), EXCLUSIONS, BRIEFS, "en")
    folder = tmp_path / RUN.run_id
    assert [(folder / n).read_bytes() for n in ("matches.en.csv", "matches.en.xlsx")] == before
    assert [path.name for path in tmp_path.iterdir()] == [RUN.run_id]


def test_an_unknown_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="language='fr' but expected 'zh' or 'en'"):
        write_files(tmp_path, RUN, MATCHES, EXCLUSIONS, BRIEFS, "fr")  # type: ignore[arg-type]


def test_every_code_of_the_contract_has_words() -> None:
    from features.contract import GOALS, MODES, PLATFORMS, STATUSES
    from serving.results import BASES, STAGES, STEP_STATUSES

    assert set(names.WORDS["platform"]) == set(PLATFORMS)
    assert set(names.WORDS["mode"]) == set(MODES)
    assert set(names.WORDS["basis"]) == set(headings.RESTS_ON) == set(BASES)
    assert set(names.WORDS["goal"]) == set(headings.WORDS["value_unit"]) == set(GOALS)
    assert set(names.WORDS["status"]) == set(STATUSES)
    assert set(names.WORDS["stage"]) == set(STAGES)
    assert set(names.WORDS["step_status"]) == set(STEP_STATUSES)


def test_drawn_places_are_marked(tmp_path: Path) -> None:
    write_files(tmp_path, RUN, MATCHES, EXCLUSIONS, BRIEFS, "en")
    told = pd.read_csv(tmp_path / RUN.run_id / "matches.en.csv", keep_default_na=False)
    assert told["Drawn"].tolist() == ["no", "yes", ""]
    assert told["Chance"].tolist() == ["1", "0.04", ""]


# A whole campaign: what the other sheets say.


def whole(folder: Path, language: str = "en", **changes: Any) -> Any:
    values = {"details": campaign.details()} | changes
    write_files(
        folder,
        RUN,
        campaign.matches(),
        campaign.exclusions(),
        campaign.briefs(),
        language,  # type: ignore[arg-type]
        **values,
    )
    return openpyxl.load_workbook(folder / RUN.run_id / f"matches.{language}.xlsx")


def test_there_is_a_sheet_for_all_there_is_to_tell_in_both_languages(tmp_path: Path) -> None:
    for language in ("en", "zh"):
        book = whole(tmp_path, language)
        assert book.sheetnames == [
            headings.SHEETS[name].in_(language)  # type: ignore[arg-type]
            for name in (
                *("plans", "planned", "matches", "options", "forecast", "risks", "steps"),
                *("successors", "precedents", "exclusions", "about"),
            )
        ]
        for sheet in book.worksheets[:-1]:
            assert sheet.freeze_panes and sheet.freeze_panes.endswith("2")
            assert sheet.auto_filter.ref.startswith("A1:")
            heads = [cell.value for cell in sheet[1]]
            assert len(set(heads)) == len(heads)


def test_what_a_run_has_not_is_left_out_and_said(tmp_path: Path) -> None:
    book = whole(tmp_path, details={})
    assert book.sheetnames == ["Matches", "Forecast", "Excluded", "About"]
    said = {row[0].value: row[1].value for row in book["About"].rows}
    assert said["Not in this workbook · Plan"] == headings.ABSENT["planned"].en
    assert not (tmp_path / RUN.run_id / "plan.en.csv").exists()


def test_the_plan_has_totals_and_then_who_is_in_it_and_who_might_be(tmp_path: Path) -> None:
    book = whole(tmp_path)
    totals, plan = book["Plans"], book["Plan"]
    assert values(totals, "Spent") == [26500]
    assert values(totals, "Plan's value") == [31000]
    assert values(totals, "Notes") == ["10% more budget would bring about 2,100 CNY"]
    assert values(book["Budget steps"], "Share of budget") == [0.5]

    assert values(plan, "KOL ID") == ["k1", "k3", "k2", "k4", "k5"]
    assert values(plan, "Place") == ["chosen"] * 3 + ["left out"] * 2
    assert values(plan, "Entry price") == [None, None, None, 18000, 900]
    assert values(plan, "Cut needed") == [None, None, None, pytest.approx(0.1), pytest.approx(0.7)]
    with (tmp_path / RUN.run_id / "plan.en.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["KOL ID"] for row in rows] == values(plan, "KOL ID")
    assert (tmp_path / RUN.run_id / "plan.en.csv").read_bytes()[:3] == b"\xef\xbb\xbf"


def test_matches_show_the_plan_the_value_of_money_and_what_to_watch(tmp_path: Path) -> None:
    sheet = whole(tmp_path)["Matches"]
    assert values(sheet, "Plan") == ["chosen", "chosen", "chosen", None, None, None]
    assert values(sheet, "Value per 1,000")[:2] == [2500, 1875]
    assert values(sheet, "Value in")[-1] == "saves + shares"
    assert values(sheet, "Watch") == [
        None,
        "high risk",
        None,
        "expected loss; declining",
        "expected loss; dearer than peers; drawn by chance",
        "high risk",
    ]
    assert values(sheet, "Caution")[0] == "Many paid posts lately"
    assert values(sheet, "Stage")[0] == "rising"
    green = [
        rule
        for span in sheet.conditional_formatting
        for rule in span.rules
        if rule.type == "expression"
    ]
    assert [rule.formula for rule in green] == [['OR($I2="chosen",$I2="first",$I2="yes")']]


def test_risks_come_with_evidence_what_to_do_and_a_clause(tmp_path: Path) -> None:
    for language in ("en", "zh"):
        sheet = whole(tmp_path, language)[headings.SHEETS["risks"].in_(language)]  # type: ignore[arg-type]
        head = {h.column: h.head.in_(language) for h in headings.RISKS}  # type: ignore[arg-type]
        advice = ADVICE["fraud"]
        told = [values(sheet, head[name])[0] for name in ("kind", "response", "clause")]
        assert told == [
            getattr(advice, name).in_(language) for name in ("label", "response", "clause")
        ]
        assert values(sheet, head["score"]) == [0.5, 0.17, 0.5]
        assert values(sheet, head["weight"]) == [0.6, 0.3, 0.6]
    assert values(sheet, "证据")[0] == "可疑粉丝占比 50%"


def test_modes_successors_and_precedents_name_the_match_they_belong_to(tmp_path: Path) -> None:
    book = whole(tmp_path)
    assert values(book["Modes"], "Recommended") == ["yes", None]
    assert values(book["Modes"], "KOL") == ["小红", "小红"]
    assert values(book["Successors"], "KOL") == ["老王聊车"]
    assert values(book["Successors"], "Successor") == ["新车小李"]
    assert values(book["Precedents"], "Brief") == ["夏季防晒上新"]
    assert values(book["Precedents"], "Past brief") == ["去年防晒"]
    assert values(book["Precedents"], "When") == ["2025-07-02"]


def test_every_column_has_words_in_both_languages_and_one_meaning() -> None:
    for name, heading in headings.COLUMNS.items():
        told = (heading.head.zh, heading.head.en, heading.about.zh, heading.about.en)
        assert all(text.strip() for text in told), name
    for code in (text for codes in names.WORDS.values() for text in codes.values()):
        assert bool(code.zh) == bool(code.en)
    assert {*headings.ABSENT, "about"} == {*headings.SHEETS}
