"""Prices against what was usual when collaborations taught."""

import numpy as np
import pandas as pd
import pytest

from features.money import currency_codes
from matcher.pricelevel import PriceLevel


def signals(price: list[float], usual: list[float], currency: list[str | None]) -> pd.DataFrame:
    log = np.log(np.array(price))
    return pd.DataFrame(
        {
            "price.log": log,
            "price.relative": log - np.log(np.array(usual)),
            "price.currency": currency_codes(pd.Series(currency, dtype=object)),
        }
    )


def test_a_price_that_rose_with_all_others_is_dearer_than_it_was() -> None:
    taught = signals([2000, 4000], [2000, 2000], ["CNY", "CNY"])
    later = signals([3000, 3000], [3000, 2000], ["CNY", "CNY"])
    level = PriceLevel.fit(taught)
    assert level.usual == {"CNY": pytest.approx(np.log(2000))}
    assert level(taught) == pytest.approx([0.0, np.log(2)])
    assert level(later) == pytest.approx(np.log([1.5, 1.5]))


def test_currencies_are_measured_each_in_its_own() -> None:
    level = PriceLevel.fit(signals([7000, 1000, 9000], [7000, 1000, 7000], ["CNY", "USD", "CNY"]))
    found = level(signals([14000, 2000], [7000, 1000], ["CNY", "USD"]))
    assert found == pytest.approx(np.log([2.0, 2.0]))


def test_where_a_currency_taught_nothing_todays_usual_price_is_the_unit() -> None:
    level = PriceLevel.fit(signals([100], [100], ["EUR"]))
    assert level(signals([600], [200], ["CNY"])) == pytest.approx([np.log(3)])
    assert level(signals([600], [200], [None])) == pytest.approx([np.log(3)])


@pytest.mark.parametrize("price, usual", [(np.nan, np.nan), (np.nan, 100.0), (100.0, np.nan)])
def test_an_unknown_price_counts_as_the_usual_one(price: float, usual: float) -> None:
    level = PriceLevel.fit(signals([100], [100], ["EUR"]))
    assert level(signals([price], [usual], ["EUR"])).tolist() == [0.0]
    assert PriceLevel.fit(signals([price], [usual], ["EUR"])).usual == {}
