"""Workflow files: what they say, and that what is filled in comes back."""

import math
import re
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contract import MODES, SPECS
from features.headers import understand
from features.ingest import read_folder
from features.lake import Lake
from features.tables import Tables
from matcher.advice import ADVICE
from serving.workflow import write_workflow
from serving.workflow.calendar import campaign_days, schedule
from serving.workflow.campaign import Campaign, campaigns
from serving.workflow.contract import BLANK, ITEMS, checklist
from serving.workflow.monitoring import HEADS, STATUSES, collaboration_id
from serving.workflow.outreach import OPEN_FROM, OPEN_TO, opening, outreach
from tests.serving import campaign as made
from tests.serving.campaign import AS_OF, RUN, day

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")


def one(**changes: pd.DataFrame) -> Campaign:
    (found,) = campaigns(made.matches(), made.details() | changes, made.tables(), AS_OF)
    return found


def by_kol(frame: pd.DataFrame, column: str) -> dict[str, Any]:
    return dict(zip(frame["kol_id"], frame[column], strict=True))


# Whom to ask


def test_the_chosen_come_first_by_what_they_bring_then_those_who_need_the_smallest_cut() -> None:
    listed = outreach(one(), "en")
    assert listed["kol_id"].tolist() == ["k1", "k3", "k2", "k4", "k5"]
    assert listed["place"].tolist() == ["first"] * 3 + ["reserve"] * 2
    assert listed["priority"].tolist() == [1, 2, 3, 4, 5]
    assert listed["talking_points"][0] == "Median of 124k views\nCheaper than peers"
    assert set(listed["channel"]) == {""}


def test_nobody_is_a_reserve_whom_no_price_lets_in() -> None:
    planned = made.details()["planned"]
    planned.loc[planned["kol_id"] == "k4", "entry_price"] = math.nan
    assert outreach(one(planned=planned), "en")["kol_id"].tolist() == ["k1", "k3", "k2", "k5"]


def test_the_walk_away_price_is_what_value_supports() -> None:
    limit = by_kol(outreach(one(), "en"), "walk_away")
    # The weakest of the plan brings 5,900 for 8,000: it supports its quote and no more.
    assert limit["k2"] == 8000
    # It would support 27,100, but nobody pays beyond what peers ask.
    assert limit["k1"] == 14000
    # 6,600 supports 8,949; peers ask 7,000.
    assert limit["k3"] == 7000
    assert limit["k4"] == 18000
    assert limit["k5"] == 900

    matches = made.matches()
    matches["price_high"] = 99_999.0
    details = made.details() | {"options": made.details()["options"].head(0)}
    (found,) = campaigns(matches, details, made.tables(), AS_OF)
    # A fifth above the quote at most, however dear peers are.
    assert by_kol(outreach(found, "en"), "walk_away")["k1"] == 14400
    assert by_kol(outreach(found, "en"), "walk_away")["k2"] == 8000


def test_conversion_pays_no_more_than_it_earns_and_no_limit_of_the_brief_is_passed() -> None:
    matches = made.matches()
    matches.loc[0, "value"] = 5000.0
    details = made.details() | {"options": made.details()["options"].head(0)}
    (found,) = campaigns(matches, details, made.tables(), AS_OF)
    assert by_kol(outreach(found, "en"), "walk_away")["k1"] == 5000

    capped = Campaign(
        {**one().brief, "max_price_per_kol": 6000.0}, "b1", one().members, one().risks
    )
    assert max(by_kol(outreach(capped, "en"), "walk_away").values()) <= 6000


@given(
    st.floats(100, 1e7),
    st.just(math.nan) | st.floats(1, 1e8),
    st.just(math.nan) | st.floats(1, 1e8),
)
def test_an_opening_offer_is_within_reason(quote: float, peers: float, limit: float) -> None:
    offer = opening(quote, peers, limit)
    assert math.isnan(limit) or offer <= limit
    assert offer <= quote * OPEN_TO * 1.06  # two digits are kept
    if math.isnan(limit) or limit >= quote:
        assert offer >= quote * OPEN_FROM * 0.94


def test_a_plan_in_another_mode_takes_that_modes_figures() -> None:
    planned = made.details()["planned"]
    planned.loc[planned["kol_id"] == "k1", "mode"] = "ad_placement"
    found = one(planned=planned)
    row = found.members.set_index("kol_id").loc["k1"]
    assert (row["price_low"], row["worth"]) == (6000, 11000)
    planned.loc[planned["kol_id"] == "k1", "mode"] = "q_and_a"
    assert math.isnan(one(planned=planned).members.set_index("kol_id").loc["k1", "price_low"])


# What to sign


def test_every_mode_has_items_of_its_own_in_both_languages() -> None:
    assert set(ITEMS) == {"common", *MODES}
    for items in ITEMS.values():
        assert len(items) >= 3
        for item, terms in items:
            assert all(text.strip() for text in (item.zh, item.en, terms.zh, terms.en))
            zh, en = (set(re.findall("{[a-z_]+}", told)) for told in (terms.zh, terms.en))
            assert zh == en


def test_the_checklist_has_the_modes_items_and_the_risks_clauses() -> None:
    found = one()
    dates = schedule(found, made.tables(), AS_OF, "zh")
    listed = checklist(found, dates, "zh")
    own = listed[listed["kol_id"] == "k1"]
    assert {"坑位费与佣金", "退货率", "直播切片授权"} <= set(own["item"])
    assert ADVICE["over_advertising"].clause.zh in set(own["terms"])
    assert ADVICE["fraud"].clause.zh not in set(own["terms"])
    assert ADVICE["fraud"].clause.zh in set(listed.loc[listed["kol_id"] == "k2", "terms"])
    told = "\n".join(own["terms"])
    assert "预估退款率18%" in told
    assert "坑位费12,000元" in told
    assert "竞品清单：shade" in told
    assert BLANK in told
    assert "{" not in "\n".join(listed["terms"])


# When to publish


def test_days_are_inside_the_campaign_and_after_what_comes_before() -> None:
    brief = {"starts_at": day("2026-07-01"), "ends_at": day("2026-07-31")}
    days, troubles = campaign_days(brief, AS_OF)
    assert (f"{days[0]}", f"{days[-1]}", troubles) == ("2026-07-10", "2026-07-31", [])
    days, troubles = campaign_days(brief, day("2026-07-25"))
    assert (f"{days[0]}", f"{days[-1]}", troubles) == ("2026-07-26", "2026-07-31", ["short_notice"])
    assert campaign_days(brief, day("2026-08-02")) == ([], ["over"])
    days, troubles = campaign_days({}, AS_OF)
    assert (len(days), f"{days[0]}", troubles) == (28, "2026-07-10", ["no_dates"])


def test_availability_is_kept_and_clashes_are_named() -> None:
    dates = schedule(one(), made.tables(), AS_OF, "en").set_index("kol_id")
    assert "2026-07-20" <= dates.loc["k2", "publish_on"] <= "2026-07-22"
    # The quote of July is not known yet, and that of June is for August.
    assert dates.loc["k3", "window"] == "2026-08-05 – 2026-08-20"
    assert "not available in the campaign" in dates.loc["k3", "clashes"]
    assert "2026-07-10" <= dates.loc["k3", "publish_on"] <= "2026-07-31"
    assert "competitor shade on 2026-06-20 and not yet published" in dates.loc["k2", "clashes"]
    assert dates.loc["k1", "clashes"] == ""
    assert (dates.loc["k1", "publish_on"], dates.loc["k1", "measure_7"]) == (
        "2026-07-13",
        "2026-07-20",
    )


def test_work_for_competitors_counts_only_once_it_was_known() -> None:
    later = made.tables().collaborations.assign(signed_at=day("2026-07-02"))
    tables = Tables(**{**dict(made.tables()), "collaborations": later})
    dates = schedule(one(), tables, AS_OF, "en").set_index("kol_id")
    assert "competitor" not in dates.loc["k2", "clashes"]


def test_a_day_is_crowded_only_where_no_other_is_left() -> None:
    found = one()
    two = found.members.assign(
        platform="douyin", available_from=day("2026-07-20"), available_to=day("2026-07-21")
    )
    dates = schedule(Campaign(found.brief, "b1", two, found.risks), made.tables(), AS_OF, "zh")
    assert sorted(dates["publish_on"].value_counts()) == [1, 2]
    assert dates["clashes"].str.contains("同日同平台已有").sum() == 2


def test_one_person_does_not_publish_twice_in_a_row_for_two_briefs() -> None:
    placed: dict[str, Any] = {}
    found = one()
    first = schedule(found, made.tables(), AS_OF, "en", placed)
    again = Campaign(found.brief, "b9", found.members, found.risks)
    second = schedule(again, made.tables(), AS_OF, "en", placed)
    gap = pd.to_datetime(by_kol(first, "publish_on")["k1"]) - pd.to_datetime(
        by_kol(second, "publish_on")["k1"]
    )
    assert abs(gap.days) >= 3
    # Three days are too few for two posts three days apart.
    assert "same person" in by_kol(second, "clashes")["k2"]


# What comes back


def filled(folder: Path, language: str) -> Path:
    written = write_workflow(
        folder,
        RUN,
        made.matches(),
        made.tables(),
        language,
        made.details(),  # type: ignore[arg-type]
    )
    return next(path for path in written.files if path.name == "mapping.toml").parent


def fill_in(path: Path, rows: dict[str, dict[str, Any]]) -> None:
    """Write into a sheet as a person would, by header, in the rows of some collaborations."""
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    at = {cell.value: cell.column for cell in sheet[1]}
    for row in range(2, sheet.max_row + 1):
        key = f"{sheet.cell(row, 1).value} {sheet.cell(row, 3).value}"
        for header, value in rows.get(key, {}).items():
            sheet.cell(row, at[header]).value = value
    book.save(path)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_filled_in_is_ingested_as_outcomes(tmp_path: Path, language: str) -> None:
    lake = Lake(tmp_path / "lake")
    lake.ingest(made.tables())
    folder = filled(tmp_path / "lists", language)
    mapping = folder / "mapping.toml"
    head = {h.column: h.head.in_(language) for heads in HEADS.values() for h in heads}  # type: ignore[arg-type]
    words = {"zh": ("已签约", "已拒绝"), "en": ("signed", "declined")}[language]

    fill_in(
        folder / "collaborations.xlsx",
        {
            "b1:k1 b1": {
                head["status"]: words[0],
                head["signed_at"]: "2026-07-02 10:00",
                head["published_at"]: "2026-07-13 18:30",
                head["cost"]: 11000,
            },
            "b1:k3 b1": {head["status"]: words[1]},
        },
    )
    fill_in(
        folder / "outcomes.xlsx",
        {
            "b1:k1 1": {head["measured_at"]: "2026-07-14", head["views"]: 61000},
            "b1:k1 7": {
                head["measured_at"]: pd.Timestamp("2026-07-20 12:00").to_pydatetime(),
                head["views"]: 118000,
                head["engagements"]: 9000,
                head["orders"]: 402,
                head["gmv"]: 51858.5,
            },
        },
    )
    reading = read_folder(folder, mapping, lake.known())
    lake.ingest(reading.tables)

    stored = lake.read()
    deals = stored.collaborations.set_index("collaboration_id").loc[["b1:k1", "b1:k3"]]
    assert deals["status"].tolist() == ["signed", "declined"]
    assert deals["cost"].tolist()[0] == 11000
    assert deals["shown_at"].tolist() == [RUN.created_at] * 2
    assert deals["position"].tolist() == [1, 3]
    assert deals["mode"].tolist() == ["live_commerce", "co_creation"]
    hour = 16 if language == "zh" else 0  # midnight of the 14th where the reader is
    came = stored.outcomes.set_index("horizon_days")
    assert came.index.tolist() == [1, 7]
    assert came.loc[1, "measured_at"] == day(f"2026-07-{13 if hour else 14} {hour}:00")
    assert came["views"].tolist() == [61000, 118000]
    assert came.loc[7, ["engagements", "orders", "gmv"]].tolist() == [9000, 402, 51858.5]
    assert came.loc[1, ["orders", "gmv"]].isna().all()
    assert came["currency"].tolist() == ["CNY", "CNY"]

    again = lake.ingest(read_folder(folder, mapping, lake.known()).tables)
    assert not any(change.inserted or change.updated for change in again.values())


def test_sheets_that_nobody_filled_in_are_no_rows(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.ingest(made.tables())
    folder = filled(tmp_path / "lists", "zh")
    reading = read_folder(folder, folder / "mapping.toml", lake.known())
    assert reading.tables.outcomes.empty
    assert reading.tables.collaborations["collaboration_id"].tolist() == []


@pytest.mark.parametrize("table", ["collaborations", "outcomes"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_headers_mean_their_columns_and_helpers_mean_none(table: str, language: str) -> None:
    heads = {h.head.in_(language): h.column for h in HEADS[table]}  # type: ignore[arg-type]
    understood = {e.headers[0]: e.column for e in understand(heads, SPECS[table])}
    wanted = {head: name for head, name in heads.items() if name in SPECS[table].names}
    assert understood == wanted
    assert set(SPECS[table].names) <= set(heads.values())


def test_a_collaboration_on_record_keeps_its_id_and_all_it_says(tmp_path: Path) -> None:
    record = pd.DataFrame(
        {
            "collaboration_id": ["deal-7"],
            "brief_id": ["b1"],
            "kol_id": ["k1"],
            "status": ["contacted"],
            "shown_at": [day("2026-06-29")],
            "propensity": [0.4],
        }
    )
    tables = Tables.of(**{**dict(made.tables()), "collaborations": record})
    write_workflow(tmp_path, RUN, made.matches(), tables, "en", made.details())
    folder = tmp_path / RUN.run_id / "b1" / "monitoring"
    lake = Lake(tmp_path / "lake")
    lake.ingest(tables)
    reading = read_folder(folder, folder / "mapping.toml", lake.known())
    pd.testing.assert_frame_equal(reading.tables.collaborations, tables.collaborations)


@given(*[st.text("a:%3A", max_size=4)] * 4)
def test_two_pairs_never_share_an_id(a: str, b: str, c: str, d: str) -> None:
    assert (collaboration_id(a, b) == collaboration_id(c, d)) == ((a, b) == (c, d))


# Files


def test_a_brief_without_a_plan_gets_no_files_and_any_id_a_folder(tmp_path: Path) -> None:
    matches, details, tables = made.matches(), made.details(), made.tables()
    assert write_workflow(tmp_path, RUN, matches, tables, "en", {}).files == ()
    assert list(tmp_path.iterdir()) == []

    wild = "../../B 1"
    matches["brief_id"] = matches["brief_id"].replace("b1", wild)
    changed = {n: f.assign(brief_id=f["brief_id"].replace("b1", wild)) for n, f in details.items()}
    briefs = tables.briefs.assign(brief_id=tables.briefs["brief_id"].replace("b1", wild))
    tables = Tables(**{**dict(tables), "briefs": briefs})
    files = write_workflow(tmp_path / "out", RUN, matches, tables, "en", changed).files
    assert len(files) == 4
    assert all(
        p.is_relative_to(tmp_path / "out" / RUN.run_id) and ".." not in p.parts for p in files
    )


def test_the_same_run_gives_the_same_bytes_and_what_is_filled_in_stays(tmp_path: Path) -> None:
    def write() -> Any:
        return write_workflow(tmp_path, RUN, made.matches(), made.tables(), "zh", made.details())

    first = write()
    before = {path: path.read_bytes() for path in first.files}
    assert len(before) == 4
    again = write()
    assert again.kept == ()
    assert {path: path.read_bytes() for path in again.files} == before

    outcomes = next(path for path in first.files if path.name == "outcomes.xlsx")
    fill_in(outcomes, {"b1:k1 1": {"播放量": 5}})
    filled_in = outcomes.read_bytes()
    assert write().kept == (outcomes,)
    assert outcomes.read_bytes() == filled_in
    assert {p.name for p in outcomes.parent.iterdir()} == {
        "collaborations.xlsx",
        "outcomes.xlsx",
        "mapping.toml",
    }


def test_the_status_is_chosen_from_words_that_are_understood(tmp_path: Path) -> None:
    from features.cells import fold, vocabulary

    sheet = openpyxl.load_workbook(filled(tmp_path, "zh") / "collaborations.xlsx").worksheets[0]
    (rule,) = sheet.data_validations.dataValidation
    words = rule.formula1.strip('"').split(",")
    assert [vocabulary().words["status"][fold(word)] for word in words] == list(STATUSES)
