import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.offers import current_offers
from features.tables import Tables
from matcher.prices import LEAST_PEERS, price_bands

DAY = pd.Timestamp("2025-06-01", tz="UTC")


def _bands(kols: list[dict[str, object]], quoted: float = -10, **asked: object) -> pd.Series:
    """Return the band of the first KOL, for a brief that takes anything."""
    usual = {"platform": "douyin", "followers": 50_000, "price": 1000.0, "currency": "CNY"}
    rows = pd.DataFrame([usual | {"mode": "sponsorship"} | kol for kol in kols])
    rows["kol_id"] = [f"k{i:02d}" for i in range(len(rows))]
    tables = Tables.of(
        briefs=pd.DataFrame({"brief_id": ["b"], "brand_id": ["a"], "text": ["x"]}),
        kols=rows[["kol_id", "platform", "followers"]].assign(
            observed_at=DAY - pd.Timedelta(days=100)
        ),
        rates=rows[["kol_id", "mode", "price", "currency"]].assign(
            quoted_at=DAY + pd.Timedelta(days=quoted)
        ),
    )
    history = History(tables)
    pairs = pd.DataFrame({"brief_id": ["b"], "kol_id": ["k00"], "as_of": [DAY]})
    return price_bands(pairs, current_offers(pairs, history), history).iloc[0]


def _peers(count: int, **kol: object) -> list[dict[str, object]]:
    return [{"price": 100.0 * (i + 1), **kol} for i in range(count)]


def test_the_band_is_the_middle_half_of_what_others_ask() -> None:
    band = _bands([{"price": 9e9}, *_peers(9)])
    assert band.tolist() == [300, 700]


@pytest.mark.parametrize(
    "other",
    [
        {"followers": 5e6},
        {"mode": "ad_placement"},
        {"currency": "USD"},
        {"followers": None},
    ],
)
def test_only_like_is_compared_with_like(other: dict[str, object]) -> None:
    strangers = [{"price": 1e6} | other for _ in range(20)]
    assert _bands([{}, *_peers(9), *strangers]).tolist() == [300, 700]
    assert _bands([{}, *_peers(LEAST_PEERS - 1), *strangers]).isna().all()


def test_too_few_on_the_platform_widen_to_all_platforms() -> None:
    here, there = _peers(3), _peers(9, platform="bilibili")
    assert _bands([{}, *here, *there]).tolist() == pytest.approx([200, 625])
    plenty = [{"price": 1.0, "platform": "bilibili"}] * 50
    assert _bands([{}, *_peers(9), *plenty]).tolist() == [300, 700]


def _a_day_apart(rows: list[dict[str, object]]) -> list[pd.Timestamp]:
    return [DAY - pd.Timedelta(days=i + 1) for i in range(len(rows))]


def test_a_quote_counts_in_its_own_mode_and_currency() -> None:
    # Everybody also quotes live commerce, and sponsorship in dollars: neither is the offer's kind.
    kols = [f"k{i:02d}" for i in range(10)]
    asked = [
        {"kol_id": kol, "mode": mode, "currency": currency, "price": (i or 50) * unit}
        for i, kol in enumerate(kols)
        for mode, currency, unit in [
            ("live_commerce", "CNY", 1e6),
            ("sponsorship", "CNY", 100.0),
            ("sponsorship", "USD", 1.0),
        ]
    ]
    tables = Tables.of(
        briefs=pd.DataFrame({"brief_id": ["b"], "brand_id": ["a"], "text": ["x"]}),
        kols=pd.DataFrame({"kol_id": kols, "platform": "douyin", "followers": 50_000}).assign(
            observed_at=DAY - pd.Timedelta(days=100)
        ),
        rates=pd.DataFrame(asked).assign(quoted_at=_a_day_apart(asked)),
    )
    pairs = pd.DataFrame({"brief_id": "b", "kol_id": ["k00"] * 3, "as_of": DAY})
    offers = pd.DataFrame(
        {
            "mode": ["sponsorship", "sponsorship", "live_commerce"],
            "currency": ["CNY", "USD", "CNY"],
        }
    )
    band = price_bands(pairs, offers, History(tables))
    assert band.to_numpy().tolist() == [[300, 700], [3, 7], [3e6, 7e6]]


def test_quotes_of_the_moment_or_later_are_not_known_yet() -> None:
    assert _bands([{}, *_peers(9)], quoted=0).isna().all()


def test_without_quotes_there_is_no_band() -> None:
    history = History(
        Tables.of(
            briefs=pd.DataFrame({"brief_id": ["b"], "brand_id": ["a"], "text": ["x"]}),
            kols=pd.DataFrame({"kol_id": ["k"], "observed_at": [DAY]}),
        )
    )
    pairs = pd.DataFrame(
        {"brief_id": ["b"], "kol_id": ["k"], "as_of": [DAY + pd.Timedelta(days=1)]}
    )
    offers = pd.DataFrame({"mode": [np.nan], "currency": [np.nan]}, dtype=object)
    band = price_bands(pairs, offers, history)
    assert list(band) == ["price_low", "price_high"]
    assert band.isna().all(axis=None)
