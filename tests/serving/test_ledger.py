"""Forecasts of published lists beside what came of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from features.columns import Column
from features.tables import Tables
from matcher.accuracy import accuracy
from matcher.commands.upkeep import _published as published_by
from matcher.measures import MEASURES
from serving import ledger as module
from serving import publish as publishing
from serving.ledger import Reconciled, join, read_ledger, reconcile
from serving.ledger_files import ledger_told, write_ledger
from serving.publish import Run, publish
from serving.results import MATCHES

FIRST = pd.Timestamp("2026-01-01", tz="UTC")
MEASURE = {measure.name: measure for measure in MEASURES}


def day(days: float) -> pd.Timestamp:
    return FIRST + pd.Timedelta(days=days)


def publish_list(
    home: Path,
    run_id: str,
    as_of: float,
    rows: list[dict[str, Any]],
    made: float | None = None,
    model_hash: str = "m",
) -> None:
    run = Run(
        run_id=run_id,
        as_of=day(as_of),
        model_version="3",
        model_hash=model_hash,
        encoder_id="words",
        data_versions={},
        config_hash="c",
        seed=0,
        top=20,
        created_at=day(as_of if made is None else made),
        basis="outcomes",
    )
    usual = {"platform": "douyin", "tier": "mid", "mode": "sponsorship", "currency": "CNY"}
    usual |= {"fit": 0.5, "score": 1.0, "cvr": 0.02, "basis": "outcomes"}
    listed = [usual | {"rank": i + 1} | row for i, row in enumerate(rows)]
    briefs = sorted({str(row["brief_id"]) for row in rows}) or ["b1"]
    excluded = [{"brief_id": b, "reason": "eligible", "kols": 5} for b in briefs]
    columns = ["brief_id", "rank", "kol_id", "basis"]
    matches = pd.DataFrame(listed) if rows else pd.DataFrame(columns=columns)
    publish(home, run, matches, pd.DataFrame(excluded))


def tables(**outcome: float) -> Tables:
    """Return two briefs decided on day 10, with three KOLs shown for each on day 11."""
    pairs = [(b, k) for b in ("b1", "b2") for k in ("k1", "k2", "k3")]
    ids = [f"{b}{k}" for b, k in pairs]
    status = ["delivered", "declined", "shown", "delivered", "delivered", "signed"]
    collaborations = pd.DataFrame(pairs, columns=["brief_id", "kol_id"]).assign(
        collaboration_id=ids,
        status=status,
        shown_at=day(11),
        mode="sponsorship",
        cost=[200.0, None, None, 200.0, 200.0, 200.0],
        currency="CNY",
    )
    usual = {"views": 1000.0, "engagements": 50.0, "clicks": 100.0, "orders": 3.0, "gmv": 600.0}
    outcomes = pd.DataFrame(
        {
            "collaboration_id": ["b1k1", "b1k1", "b2k1"],
            "horizon_days": [7.0, 30.0, 30.0],
            "measured_at": [day(20), day(45), day(46)],
            "currency": "CNY",
        }
        | usual
        | outcome
    )
    outcomes.loc[0, "views"] = 1.0  # unripe
    return Tables.of(
        briefs=pd.DataFrame(
            {
                "brief_id": ["b1", "b2"],
                "brand_id": "acme",
                "text": "serum",
                "goal": "awareness",
                "vertical": ["beauty", "food"],
                "decided_at": day(10),
            }
        ),
        kols=pd.DataFrame(
            {"kol_id": ["k1", "k2", "k3"], "observed_at": day(0), "platform": "douyin"}
        ),
        collaborations=collaborations,
        outcomes=outcomes,
    )


def listing(*pairs: str, **columns: Any) -> list[dict[str, Any]]:
    return [{"brief_id": p[:2], "kol_id": p[2:], "views_p50": 800.0} | columns for p in pairs]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    publish_list(tmp_path, "first", 1, listing("b1k1", "b1k2", "b2k1", "b2k2"))
    return tmp_path


def test_what_came_stands_beside_what_was_forecast(home: Path) -> None:
    found = reconcile(home, tables(), {}, 30)
    assert found.ledger["collaboration_id"].tolist() == ["b1k1", "b2k1"]
    row = found.ledger.iloc[0].to_dict()
    assert (row["run_id"], row["model_version"], row["rank"]) == ("first", "3", 1)
    assert (row["views_forecast"], row["views_actual"]) == (800, 1000)
    assert (row["cvr_forecast"], row["cvr_actual"], row["cvr_exposure"]) == (0.02, 3, 100)
    assert (row["vertical"], row["goal"], row["measured_at"]) == ("beauty", "awareness", day(45))
    assert np.isnan(row["fit_actual"])  # nobody said which were successes
    assert found.left_out == {
        "no_run": 0,
        "not_listed": 2,
        "not_forecast": 0,
        "unanswered": 1,
        "unripe": 1,
    }


def test_the_last_list_before_the_choice_counts(home: Path) -> None:
    publish_list(home, "last", 10, listing("b1k1", views_p50=900.0))
    publish_list(home, "late", 10.5, listing("b1k1", views_p50=999.0))
    ledger = join(home, tables(), 30)[0].set_index("collaboration_id")
    assert ledger["run_id"].to_dict() == {"b1k1": "last", "b2k1": "first"}
    assert ledger.loc["b1k1", "views_forecast"] == 900


def test_a_brief_that_got_nobody_since_has_no_forecast(home: Path) -> None:
    publish_list(home, "empty", 5, [])
    ledger, left_out = join(home, tables(), 30)
    assert ledger["brief_id"].tolist() == ["b2"]
    assert left_out["not_listed"] == 4


def test_intervals_and_acceptance_come_along(home: Path) -> None:
    range_ = {"views_p10": 500.0, "views_p50": 990.0, "views_p90": 2000.0, "accept": 0.9}
    publish_list(home, "new", 5, listing("b1k1", "b1k2", "b1k3", "b2k3", **range_))
    ledger = join(home, tables(), 30)[0].set_index("collaboration_id")
    views = ["views_low", "views_forecast", "views_high", "views_actual"]
    assert ledger.loc["b1k1", views].tolist() == [500, 990, 2000, 1000]
    # Who answered tells of acceptance without any outcome; who was only shown has not answered.
    assert ledger["accept_actual"].dropna().to_dict() == {"b1k1": 1, "b1k2": 0, "b2k3": 1}
    assert "b1k3" not in ledger.index


def test_a_return_is_what_was_earned_over_what_was_paid(home: Path) -> None:
    range_ = {"roi_p10": -0.5, "roi_p50": 0.2, "roi_p90": 2.0}
    publish_list(home, "new", 5, listing("b1k1", **range_))
    told = tables()
    margins = told.replace(briefs=told.briefs.assign(gross_margin=0.5))
    row = join(home, margins, 30)[0].set_index("collaboration_id").loc["b1k1"]
    assert row["roi_forecast"] == 0.2
    assert row["roi_actual"] == pytest.approx(600 * 0.5 / 200 - 1)
    untold = join(home, told, 30)[0].set_index("collaboration_id")
    assert untold["roi_actual"].isna().all()


def test_money_of_another_kind_is_not_compared(home: Path) -> None:
    priced = {"price": 150.0, "fit": np.nan, "cvr": np.nan}
    publish_list(home, "yuan", 5, listing("b1k1", **priced))
    publish_list(home, "dollars", 6, listing("b2k1", currency="USD", **priced))
    ledger = join(home, tables(), 30)[0].set_index("collaboration_id")
    assert ledger["price_actual"].dropna().to_dict() == {"b1k1": 200}
    publish_list(home, "live", 7, listing("b1k1", mode="live_commerce", **priced))
    ledger = join(home, tables(), 30)[0].set_index("collaboration_id")
    assert ledger["price_actual"].isna().all()


def test_successes_and_hindsight_are_told(home: Path) -> None:
    success = pd.Series({"b1k1": True, "b2k1": False})
    ledger = reconcile(home, tables(), {}, 30, success).ledger
    assert ledger["fit_actual"].tolist() == [1, 0]
    assert ledger["hindsight"].tolist() == [False, False]
    assert ledger["model_hash"].tolist() == ["m", "m"]


def test_forecasts_of_a_model_are_told_apart_from_another_of_its_number(home: Path) -> None:
    assert published_by(home, "m") is None  # no ledger yet
    publish_list(home, "other", 5, listing("b2k1"), model_hash="n")
    assert reconcile(home, tables(), {}, 30).ledger["model_version"].tolist() == ["3", "3"]
    told = {name: published_by(home, name) for name in ("m", "n", "o")}
    assert [None if rows is None else rows["run_id"].tolist() for rows in told.values()] == [
        ["first"],
        ["other"],
        None,
    ]


def test_a_replay_never_stands_for_the_list_that_was_there(home: Path) -> None:
    replayed = listing("b1k1", "b2k1", views_p50=1000.0)
    publish_list(home, "replay", 9, replayed, made=60)
    assert join(home, tables(), 30)[0]["run_id"].tolist() == ["first", "first"]


def test_where_there_are_only_replays_they_are_told_and_not_judged(tmp_path: Path) -> None:
    listed = listing("b1k1", "b1k2", "b2k1", accept=0.9)
    publish_list(tmp_path, "replay", 9, listed, made=12)  # before any outcome, after the choice
    found = reconcile(tmp_path, tables(), {}, 30)
    assert found.ledger["run_id"].tolist() == ["replay"] * 3
    assert found.ledger["hindsight"].tolist() == [True] * 3
    assert "b1k2" in found.ledger["collaboration_id"].tolist()  # who answered and was not measured
    assert found.honest.empty
    assert ledger_told(found, accuracy(found.honest, 2, 2))["in_hindsight"] == 3
    publish_list(tmp_path, "real", 2, listing("b1k1"))
    assert reconcile(tmp_path, tables(), {}, 30).honest["collaboration_id"].tolist() == ["b1k1"]


def test_sales_without_a_currency_are_in_that_of_the_brief(home: Path) -> None:
    publish_list(home, "new", 5, listing("b1k1", gmv_p50=500.0, roi_p50=0.2))
    told = tables()
    briefs = told.briefs.assign(gross_margin=0.5, currency=["CNY", "USD"])
    outcomes = told.outcomes.assign(currency=pd.NA)
    ledger = join(home, told.replace(briefs=briefs, outcomes=outcomes), 30)[0]
    row = ledger.set_index("collaboration_id").loc["b1k1"]
    assert (row["gmv_actual"], row["roi_actual"]) == (600, pytest.approx(600 * 0.5 / 200 - 1))


def test_forecasts_of_runs_of_an_earlier_version_are_held_against_what_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [column for column in MATCHES.columns if not column.name.startswith("views_")]
    then = replace(MATCHES, columns=(*kept, Column("forecast_views", "count")))
    old = [{"brief_id": "b1", "kol_id": "k1", "forecast_views": 700.0}]
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "MATCHES", then)
        patch.setitem(publishing.SPECS, "matches", then)
        publish_list(tmp_path, "old", 1, old)
    told = join(tmp_path, tables(), 30)[0]
    assert told["views_forecast"].tolist() == [700]
    publish_list(tmp_path, "new", 2, listing("b2k1"))
    told = join(tmp_path, tables(), 30)[0]
    assert told["views_forecast"].tolist() == [700, 800]


def test_nothing_to_join_says_why_and_writes_no_table(tmp_path: Path) -> None:
    found = reconcile(tmp_path, tables(), {}, 30)
    assert found.ledger.empty
    assert found.version is None
    assert found.left_out["no_run"] == 6
    assert read_ledger(tmp_path).empty
    table = accuracy(found.ledger, 20, 5)
    assert table.empty
    told = ledger_told(found, table)
    assert (told["joined"], told["accuracy"]) == (0, [])


def test_the_same_again_is_no_new_version_and_what_changed_is_one(home: Path) -> None:
    assert [reconcile(home, tables(), {}, 30).version for _ in range(2)] == [0, 0]
    corrected = reconcile(home, tables(views=1500.0), {}, 30)
    assert corrected.version == 1
    assert read_ledger(home)["views_actual"].tolist() == [1500, 1500]
    assert read_ledger(home, 0)["views_actual"].tolist() == [1000, 1000]
    pd.testing.assert_frame_equal(read_ledger(home), corrected.ledger)
    # A row that lost its ground goes; the earlier version still tells it.
    gone = tables().replace(outcomes=tables().outcomes.head(0))
    assert reconcile(home, gone, {}, 30).version == 2
    assert read_ledger(home).empty
    assert len(read_ledger(home, 1)) == 2


def test_a_reconciliation_cut_off_leaves_the_ledger_as_it_was(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile(home, tables(), {}, 30)

    def cut_off(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "to_arrow", cut_off)
        with pytest.raises(KeyboardInterrupt):
            reconcile(home, tables(views=1500.0), {}, 30)
    assert read_ledger(home)["views_actual"].tolist() == [1000, 1000]
    assert reconcile(home, tables(views=1500.0), {}, 30).version == 1


def test_files_for_people_and_programs(home: Path, tmp_path: Path) -> None:
    found = reconcile(home, tables(), {}, 30)
    odd = found.ledger.assign(vertical="=cmd()", run_id="-1")
    found = Reconciled(odd, found.left_out, found.version, 30)
    table = accuracy(odd, 2, 2)
    for language in ("en", "zh"):
        files = write_ledger(tmp_path / "out", found, table, language)
        first = [file.read_bytes() for file in files]
        write_ledger(tmp_path / "out", found, table, language)
        assert [file.read_bytes() for file in files] == first
    told = json.loads((tmp_path / "out" / "ledger.json").read_text(encoding="utf-8"))
    assert told["joined"] == 2
    assert {"measure", "verdict", "log_ratio", "off"} <= set(told["accuracy"][0])
    book = openpyxl.load_workbook(tmp_path / "out" / "ledger.en.xlsx")
    assert book.sheetnames == ["Accuracy", "Ledger", "About"]
    kinds = {cell.data_type for row in book["Ledger"].iter_rows(min_row=2) for cell in row}
    assert "f" not in kinds
    written = pd.read_csv(tmp_path / "out" / "ledger.en.csv", dtype=str)
    assert written["Vertical"].tolist() == ["'=cmd()"] * 2
    heads = {row[0].value: row[1].value for row in book["About"].iter_rows()}
    assert "(1 + actual) over (1 + forecast)" in str(heads["Actual over forecast"])
    assert "预测准确度" in openpyxl.load_workbook(tmp_path / "out" / "ledger.zh.xlsx").sheetnames
