import pandas as pd
import pytest

from features.columns import TIME
from features.contract import BRIEFS, KOLS
from matcher.config import EligibilityConfig
from matcher.eligibility import (
    REASONS,
    count_reasons,
    funnel,
    in_time,
    possible,
    screen,
    screen_signals,
)

AS_OF = pd.Timestamp("2026-01-10", tz="UTC")


def _brief(**values: object) -> pd.DataFrame:
    row = {"brief_id": "b", "brand_id": "x", "text": "t", "goal": "seeding", **values}
    return BRIEFS.conform(pd.DataFrame({name: [value] for name, value in row.items()}))


def _kols(**values: list[object]) -> pd.DataFrame:
    count = len(next(iter(values.values())))
    rows = {
        "kol_id": [f"k{i}" for i in range(count)],
        "observed_at": ["2026-01-01"] * count,
        "platform": ["douyin"] * count,
    }
    return KOLS.conform(pd.DataFrame(rows | values))


def _pairs(kols: pd.DataFrame) -> pd.DataFrame:
    return kols[["kol_id"]].assign(brief_id="b", as_of=pd.Series([AS_OF] * len(kols), dtype=TIME))


def _offers(**values: list[object]) -> pd.DataFrame:
    count = len(next(iter(values.values())))
    frame = pd.DataFrame(
        {
            "price": [100.0] * count,
            "has_quote": [True] * count,
            "has_mode": [True] * count,
            "currency_mismatch": [False] * count,
            "available_from": pd.Series([None] * count, dtype=TIME),
            "available_to": pd.Series([None] * count, dtype=TIME),
        }
    ).assign(**{k: v for k, v in values.items() if not k.startswith("available")})
    for name in ("available_from", "available_to"):
        if name in values:
            frame[name] = pd.to_datetime(pd.Series(values[name]), utc=True).astype(TIME)
    return frame


def _screened(brief: pd.DataFrame, kols: pd.DataFrame, offers: pd.DataFrame | None) -> list[object]:
    reason = screen(_pairs(kols), brief, kols, offers)
    return reason.astype(object).where(reason.notna(), None).tolist()


def test_platforms_of_the_brief_are_kept_and_none_named_allows_all() -> None:
    kols = _kols(platform=["douyin", "bilibili"])
    assert _screened(_brief(platforms=("douyin",)), kols, None) == [None, "platform"]
    assert _screened(_brief(), kols, None) == [None, None]


def test_every_account_of_an_excluded_person_is_excluded() -> None:
    kols = _kols(person_id=["p", "p", "q", None], kol_id=["k0", "k1", "k2", "k3"])
    assert _screened(_brief(excluded_kols=("k0",)), kols, None) == [
        "excluded",
        "excluded",
        None,
        None,
    ]


def test_unknown_followers_do_not_refuse() -> None:
    kols = _kols(followers=[5_000, 20_000, None])
    assert _screened(_brief(min_followers=10_000), kols, None) == ["followers", None, None]


def test_prices_refuse_in_words_of_their_own() -> None:
    nan = float("nan")
    kols = _kols(kol_id=[f"k{i}" for i in range(6)])
    offers = _offers(
        price=[nan, nan, nan, 600.0, 400.0, 100.0],
        has_quote=[False, True, True, True, True, True],
        has_mode=[False, False, True, True, True, True],
        currency_mismatch=[False, False, True, False, False, False],
    )
    brief = _brief(budget=500.0, currency="CNY", max_price_per_kol=300.0)
    assert _screened(brief, kols, offers) == [
        "no_price",
        "mode",
        "currency",
        "price",
        "price",
        None,
    ]
    assert _screened(_brief(budget=500.0, currency="CNY"), kols, offers)[3:] == [
        "budget",
        None,
        None,
    ]


def test_availability_must_meet_the_campaign() -> None:
    kols = _kols(kol_id=["early", "late", "meets", "open"])
    offers = _offers(
        available_from=["2026-01-01", "2026-04-01", "2026-02-10", None],
        available_to=["2026-01-31", "2026-05-01", "2026-02-12", None],
    )
    brief = _brief(starts_at="2026-02-01", ends_at="2026-03-01")
    assert _screened(brief, kols, offers) == ["availability", "availability", None, None]


def test_signals_refuse_only_what_is_known() -> None:
    kols = _kols(kol_id=[f"k{i}" for i in range(5)])
    signals = pd.DataFrame(
        {
            "audience.match": [0.2, 0.9, 0.9, None, 0.9],
            "rivalry.days_since": [None, 10.0, 31.0, None, None],
            "risk": [0.0, 0.0, 0.0, 0.0, 0.7],
        }
    )
    brief = _brief(min_audience_match=0.5, max_risk=0.5)
    reason = screen_signals(_pairs(kols), brief, signals, EligibilityConfig(exclusivity_days=30))
    assert reason.astype(object).where(reason.notna(), None).tolist() == [
        "audience",
        "competitor",
        None,
        None,
        "risk",
    ]


def test_the_funnel_adds_up_to_the_roster() -> None:
    kols = _kols(platform=["douyin", "bilibili", "weibo", "douyin"], followers=[1, 9, 9, 9])
    brief = _brief(platforms=("douyin",), min_followers=5)
    pairs = _pairs(kols)
    counts = funnel({"b": count_reasons(screen(pairs, brief, kols, None))})
    assert counts["reason"].tolist() == ["platform", "followers", "eligible"]
    assert counts["kols"].tolist() == [2, 1, 1]
    assert counts["kols"].sum() == len(kols)


def test_a_brief_with_nobody_still_says_why() -> None:
    kols = _kols(platform=["weibo"])
    pairs = _pairs(kols)
    brief = _brief(platforms=("douyin",))
    counts = funnel({"b": count_reasons(screen(pairs, brief, kols, None))})
    assert dict(zip(counts["reason"], counts["kols"], strict=True)) == {
        "platform": 1,
        "eligible": 0,
    }


@pytest.mark.parametrize("reason", REASONS, ids=lambda r: r.code)
def test_every_reason_is_told_in_both_languages(reason: object) -> None:
    assert reason.en  # type: ignore[attr-defined]
    assert any("\u4e00" <= c <= "\u9fff" for c in reason.zh)  # type: ignore[attr-defined]


def test_an_offer_is_possible_if_it_is_for_the_time_and_can_be_paid() -> None:
    day = pd.Timestamp("2025-06-01", tz="UTC")
    briefs = pd.DataFrame(
        {
            "brief_id": ["b"],
            "starts_at": [day],
            "ends_at": [day + pd.Timedelta(days=30)],
            "max_price_per_kol": [500.0],
            "budget": [800.0],
        }
    )
    late, early = day + pd.Timedelta(days=31), day - pd.Timedelta(days=1)
    offers = pd.DataFrame(
        {
            "brief_id": "b",
            "as_of": early,
            "price": [500.0, 501.0, 100.0, 100.0, 100.0],
            "available_from": pd.Series([pd.NaT, pd.NaT, late, pd.NaT, early]).dt.tz_convert("UTC"),
            "available_to": pd.Series([pd.NaT, pd.NaT, pd.NaT, early, late]).dt.tz_convert("UTC"),
        }
    )
    assert possible(offers, briefs).tolist() == [True, False, False, False, True]
    assert in_time(offers, briefs).tolist() == [True, True, False, False, True]
