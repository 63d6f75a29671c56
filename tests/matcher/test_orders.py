import numpy as np
import pandas as pd
import pytest

from matcher.orders import OrderValue


def _sales(rows: int = 200, of_price: float = 1.0, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    orders, price = rng.integers(1, 50, rows).astype(float), rng.uniform(50, 500, rows)
    told = {
        "orders": orders,
        "gmv": orders * price * of_price,
        "product_price": price,
        "revenue_currency": np.where(np.arange(rows) % 2, "CNY", "USD"),
    }
    return pd.DataFrame(told | columns)


def _value(fitted: OrderValue | None, price: float, currency: object) -> tuple[float, float]:
    assert fitted is not None
    log, spread = fitted(np.array([price]), pd.Series([currency], dtype=object))
    return float(np.exp(log[0])), float(spread[0])


def test_an_order_is_worth_what_the_product_costs_and_discounts_are_learned() -> None:
    value, spread = _value(OrderValue.fit(_sales(), 100), 300.0, "CNY")
    assert value == pytest.approx(300)
    assert spread < 0.1
    assert _value(OrderValue.fit(_sales(of_price=0.5), 100), 300.0, "CNY")[0] == pytest.approx(
        150, rel=0.06
    )


def test_few_sales_hardly_move_the_products_own_price() -> None:
    few = _sales(4, of_price=0.5)
    assert 200 < _value(OrderValue.fit(few, 4), 300.0, "CNY")[0] < 300


def test_a_brief_without_a_price_gets_what_is_usual_in_its_currency() -> None:
    sales = _sales()
    yuan = (sales["gmv"] / sales["orders"])[sales["revenue_currency"] == "CNY"].median()
    value, spread = _value(OrderValue.fit(sales, 100), np.nan, "CNY")
    assert value == pytest.approx(yuan, rel=0.01)
    assert spread > 0.3
    assert np.isnan(_value(OrderValue.fit(sales, 100), np.nan, "EUR")[0])


def test_money_without_a_currency_is_unknown() -> None:
    assert np.isnan(_value(OrderValue.fit(_sales(), 100), 300.0, None)[0])


@pytest.mark.parametrize(
    "sales",
    [
        _sales(99),
        _sales(gmv=np.nan),
        _sales(orders=0.0),
        _sales()[["orders", "gmv"]],
    ],
    ids=["few", "no sales", "no orders", "no prices"],
)
def test_too_little_to_learn_from_gives_nothing(sales: pd.DataFrame) -> None:
    assert OrderValue.fit(sales, 100) is None
