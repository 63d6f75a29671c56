import numpy as np
import openpyxl
import pandas as pd
import pytest

from matcher.config import PlanConfig
from matcher.planning.plan import draft_briefs, tell_drafts
from serving.plan_files import options_of_run, write_plan
from serving.publish import Published, Run
from serving.results import EXCLUSIONS, MATCHES, OPTIONS
from tests.matcher.planning.rosters import roster_of

AT = pd.Timestamp("2026-06-30", tz="UTC")


@pytest.fixture(scope="module")
def roster() -> pd.DataFrame:
    return roster_of(np.random.default_rng(3), 8)


@pytest.fixture(scope="module")
def published(roster: pd.DataFrame) -> Published:
    run = Run("r1", AT, "1", "h", "e", {}, "c", 0, 8, AT, "outcomes")
    matches = roster[["kol_id", "platform", "display_name", "person_id", "followers"]].assign(
        brief_id="b/1",
        rank=range(1, 9),
        mode="ad_placement",
        price=np.arange(1, 9) * 100.0,
        currency="CNY",
        value=np.arange(8, 0, -1) * 10.0,
        risk=0.1,
        score=1.0,
        evidence=[{}] * 8,
        basis="outcomes",
    )
    matches["display_name"] = "=1+1"
    conformed = MATCHES.conform(matches.drop(columns="evidence")).assign(evidence=[{}] * 8)
    options = OPTIONS.conform(
        matches.assign(recommended=True)[
            ["brief_id", "kol_id", "mode", "recommended", "price"]
        ].assign(currency="CNY", value=50.0)
    )
    return Published(run, conformed, EXCLUSIONS.empty(), {"options": options})


def briefs() -> pd.DataFrame:
    row = {"brief_id": "b/1", "title": "t", "brand_name": "x", "goal": "engagement"}
    row |= {"budget": 500.0, "currency": "CNY", "kols_wanted": 3.0, "gross_margin": np.nan}
    row |= {"excluded_kols": (), "max_risk": np.nan, "max_price_per_kol": np.nan}
    return pd.DataFrame([row])


def test_a_plan_chooses_from_the_modes_of_its_run(published: Published) -> None:
    options = options_of_run(published, "b/1")
    assert (options["value"] == 50).all()
    assert (options["risk"] == 0.1).all()
    assert len(options_of_run(published, "other")) == 0


def test_runs_without_modes_offer_each_match_as_it_was_priced(published: Published) -> None:
    before = Published(published.run, published.matches, published.exclusions, {})
    options = options_of_run(before, "b/1")
    assert options["mode"].unique().tolist() == ["ad_placement"]
    assert options["value"].tolist() == [80, 70, 60, 50, 40, 30, 20, 10]


def test_files_are_whole_harmless_and_the_same_every_time(
    published: Published, roster: pd.DataFrame, tmp_path: object
) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    config = PlanConfig(steps=(0.5, 1.0), draws=100)
    options = options_of_run(published, "b/1")
    plans, planned = tell_drafts(draft_briefs(options, briefs(), roster, config), roster)
    for language in ("zh", "en"):
        files = write_plan(folder / "one", published, briefs(), plans, planned, language)
        again = write_plan(folder / "two", published, briefs(), plans, planned, language)
        assert [f.read_bytes() for f in files] == [f.read_bytes() for f in again]
        assert files[0].name.startswith("plan-b-1~")
        assert files[0].name.endswith(f".{language}.xlsx")
        book = openpyxl.load_workbook(files[0])
        first = book.worksheets[0]
        cells = [cell for row in first.iter_rows() for cell in row]
        assert any(cell.value == "=1+1" and cell.data_type == "s" for cell in cells)
        assert first.max_row > 3
    assert [path.suffix for path in files] == [".xlsx", ".csv", ".csv", ".csv"]
    assert not list((folder / "one").glob(".*"))
