from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.history import History
from features.offers import current_offers, quotes
from features.tables import Tables

Day = Callable[[float], pd.Timestamp]
Maker = Callable[[int], Tables]


def world(day: Day, rates: list[tuple[object, ...]], **brief: object) -> History:
    columns = ["kol_id", "mode", "quoted_at", "price", "currency", "valid_until"]
    asked = {"brief_id": "b", "brand_id": "x", "text": "t", "goal": "seeding", **brief}
    kols = {"kol_id": ["k", "other"], "observed_at": [day(0)] * 2, "platform": ["weibo"] * 2}
    return History(
        Tables.of(
            briefs=pd.DataFrame([asked]),
            kols=pd.DataFrame(kols),
            rates=pd.DataFrame(rates, columns=columns),
        )
    )


def ask(history: History, *times: pd.Timestamp) -> pd.DataFrame:
    pairs = pd.DataFrame({"brief_id": "b", "kol_id": "k", "as_of": list(times)})
    return current_offers(pairs, history)


def test_the_latest_quote_known_before_counts(day: Day) -> None:
    history = world(
        day,
        [
            ("k", "sponsorship", day(1), 100.0, "CNY", None),
            ("k", "sponsorship", day(5), 300.0, "CNY", None),
            ("other", "sponsorship", day(1), 1.0, "CNY", None),
        ],
    )
    found = ask(history, day(1), day(5), day(6))
    assert found["price"].fillna(-1).tolist() == [-1, 100, 300]
    assert found["has_quote"].tolist() == [False, True, True]


def test_a_quote_that_ran_out_is_not_replaced_by_an_older_one(day: Day) -> None:
    history = world(
        day,
        [
            ("k", "sponsorship", day(1), 100.0, "CNY", None),
            ("k", "sponsorship", day(5), 300.0, "CNY", day(8)),
        ],
    )
    found = ask(history, day(7), day(8))
    assert found["price"].fillna(-1).tolist() == [300, -1]


def test_the_cheapest_mode_is_taken_and_ties_go_by_name(day: Day) -> None:
    history = world(
        day,
        [
            ("k", "sponsorship", day(1), 100.0, "CNY", None),
            ("k", "co_creation", day(1), 100.0, "CNY", None),
            ("k", "ad_placement", day(1), 200.0, "CNY", None),
        ],
    )
    assert ask(history, day(2))["mode"].tolist() == ["co_creation"]


def test_a_brief_takes_its_own_modes_and_currency_and_says_why_not(day: Day) -> None:
    rates = [
        ("k", "sponsorship", day(1), 5.0, "USD", None),
        ("k", "ad_placement", day(2), 9.0, "CNY", None),
    ]
    none = ask(world(day, rates, modes=("q_and_a",)), day(3)).iloc[0]
    assert (none["has_quote"], none["has_mode"], none["currency_mismatch"]) == (True, False, False)
    wrong = ask(world(day, rates, modes=("sponsorship",), currency="CNY"), day(3)).iloc[0]
    assert (wrong["has_mode"], wrong["currency_mismatch"]) == (True, True)
    assert pd.isna(wrong["price"])
    right = ask(world(day, rates, currency="CNY"), day(3)).iloc[0]
    assert (right["mode"], right["price"], right["currency"]) == ("ad_placement", 9.0, "CNY")
    assert not right["currency_mismatch"]


def test_a_newer_quote_in_another_currency_hides_nothing(day: Day) -> None:
    rates = [
        ("k", "sponsorship", day(1), 700.0, "CNY", None),
        ("k", "sponsorship", day(5), 100.0, "USD", day(8)),
    ]
    for currency, price in (("CNY", 700), ("USD", 100)):
        history = world(day, rates, currency=currency)
        assert ask(history, day(6)).iloc[0][["price", "currency"]].tolist() == [price, currency]
    assert ask(world(day, rates, currency="USD"), day(9))["currency_mismatch"].all()
    either = pd.DataFrame({"brief_id": "b", "kol_id": ["k"], "as_of": [day(6)]})
    assert quotes(either, world(day, rates))["price"].tolist() == [700, 100]


def test_every_quote_that_applies_is_listed(day: Day) -> None:
    history = world(
        day,
        [
            ("k", "sponsorship", day(1), 100.0, "CNY", None),
            ("k", "co_creation", day(3), 50.0, "CNY", None),
        ],
    )
    pairs = pd.DataFrame(
        {"brief_id": "b", "kol_id": ["k", "other", "k"], "as_of": [day(4), day(4), day(2)]}
    )
    found = quotes(pairs, history)
    assert found[["pair", "mode", "price"]].to_numpy().tolist() == [
        [0, "co_creation", 50.0],
        [0, "sponsorship", 100.0],
        [2, "sponsorship", 100.0],
    ]


def test_no_rates_at_all_give_null_offers(day: Day) -> None:
    found = ask(world(day, []), day(3))
    assert found["price"].isna().all()
    assert not found["has_quote"].any()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), days=st.integers(1, 70))
def test_the_offer_is_what_a_slow_reader_finds(
    random_tables: Maker, day: Day, seed: int, days: int
) -> None:
    tables, at = random_tables(seed), day(days)
    pairs = tables.briefs[["brief_id"]].merge(
        tables.kols[["kol_id"]].drop_duplicates(), how="cross"
    )
    found = current_offers(pairs.assign(as_of=at), History(tables))
    briefs = tables.briefs.set_index("brief_id")
    for pair, offer in zip(pairs.itertuples(), found.itertuples(), strict=True):
        brief = briefs.loc[pair.brief_id]
        rates = tables.as_of(at).rates.query("kol_id == @pair.kol_id").sort_values("quoted_at")
        rates = rates.drop_duplicates(["mode", "currency"], keep="last")
        rates = rates[~(rates["valid_until"] <= at) & (rates["currency"] == brief["currency"])]
        rates = rates[rates["mode"].isin(brief["modes"] or rates["mode"])]
        best = rates.sort_values(["price", "mode"]).head(1)
        assert best["price"].tolist() == ([] if pd.isna(offer.price) else [offer.price])
        assert best["mode"].tolist() == ([] if pd.isna(offer.price) else [offer.mode])


def test_offers_keep_the_pairs_index(day: Day) -> None:
    history = world(day, [("k", "sponsorship", day(1), 100.0, "CNY", None)])
    pairs = pd.DataFrame({"brief_id": "b", "kol_id": "k", "as_of": [day(4)]}, index=["row"])
    assert current_offers(pairs, history).index.tolist() == ["row"]
    with pytest.raises(ValueError, match="without"):
        current_offers(pairs.drop(columns="kol_id"), history)


def test_a_pair_in_one_mode_takes_its_quote_or_else_the_cheapest(day: Day) -> None:
    history = world(
        day,
        [
            ("k", "sponsorship", day(1), 300.0, "CNY", None),
            ("k", "co_creation", day(1), 100.0, "CNY", None),
            ("k", "live_commerce", day(1), 200.0, "CNY", day(3)),
            ("k", "q_and_a", day(1), 50.0, "CNY", None),
        ],
        modes=("sponsorship", "co_creation", "live_commerce"),
    )
    modes = ["sponsorship", "co_creation", None, "live_commerce", "q_and_a", "offline_event"]
    pairs = pd.DataFrame({"brief_id": "b", "kol_id": "k", "as_of": day(4), "mode": modes})
    found = current_offers(pairs, history)
    cheapest = "co_creation"  # what ran out, is not allowed or was never quoted is no offer
    assert found["mode"].tolist() == ["sponsorship", *[cheapest] * 5]
    assert found["price"].tolist() == [300.0, *[100.0] * 5]
    assert found["has_mode"].all()


def test_a_mode_of_two_currencies_takes_that_of_the_brief_or_the_first(day: Day) -> None:
    rates = [
        ("k", "ad_placement", day(1), 900.0, "CNY", None),
        ("k", "sponsorship", day(1), 70.0, "USD", None),
        ("k", "sponsorship", day(2), 800.0, "CNY", None),
    ]
    pairs = pd.DataFrame(
        {"brief_id": "b", "kol_id": "k", "as_of": day(4), "mode": ["sponsorship", None]}
    )
    for brief, price in (({}, 800.0), ({"currency": "CNY"}, 800.0), ({"currency": "USD"}, 70.0)):
        assert current_offers(pairs, world(day, rates, **brief))["price"].eq(price).all()


def test_a_mode_that_does_not_exist_is_refused(day: Day) -> None:
    history = world(day, [("k", "sponsorship", day(1), 100.0, "CNY", None)])
    pairs = pd.DataFrame({"brief_id": "b", "kol_id": "k", "as_of": [day(4)], "mode": "billboard"})
    with pytest.raises(ValueError, match=r"Got pairs in modes \['billboard'\] but expected some"):
        current_offers(pairs, history)
