"""What an amount is worth in another currency, by the rates that were known at the time.

A pair of currencies has one series of rates, whichever way round each was quoted: the latest one
strictly before a moment counts. Where a pair was never quoted by then, one currency that both were
quoted against stands between them. Nothing is assumed beyond that: without a rate there is no
amount.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from features.history import codes_in
from features.timeline import NEVER, Floats, Ints, Timeline, micros, pick

_SWAPPED = {"currency": "to_currency", "to_currency": "currency"}


def currency_codes(currencies: pd.Series[Any] | pd.Index[Any]) -> Floats:
    """Return a number for each currency that is the same in any data, NaN for null.

    Its three letters read as a number in base 26.

    Examples
    --------
    >>> currency_codes(pd.Index(["AAA", "AAB", "CNY"])).tolist()
    [0.0, 1.0, 1714.0]
    """
    codes = {
        name: float(
            sum((ord(letter) - ord("A")) * 26**place for place, letter in enumerate(name[::-1]))
        )
        for name in pd.unique(currencies)
        if isinstance(name, str)
    }
    return np.array([codes.get(name, np.nan) for name in currencies], dtype=np.float64)


def currency_letters(code: int) -> str:
    """Return the currency of a code of `currency_codes`.

    Examples
    --------
    >>> currency_letters(1714)
    'CNY'
    """
    return "".join(chr(ord("A") + code // 26**place % 26) for place in (2, 1, 0))


class Exchange:
    """Dated exchange rates, ready to be asked.

    Parameters
    ----------
    rates : pandas.DataFrame
        EXCHANGE_RATES.

    Examples
    --------
    >>> day = pd.Timestamp("2026-01-02", tz="UTC")
    >>> rates = pd.DataFrame(
    ...     {"currency": ["USD"], "to_currency": ["CNY"], "quoted_at": [day], "rate": [7.0]}
    ... )
    >>> asked = pd.DataFrame({"price": [14.0, 2.0], "currency": ["CNY", "USD"]})
    >>> later = pd.Series([day + pd.Timedelta(days=1)] * 2)
    >>> Exchange(rates).convert(asked["price"], asked["currency"], "USD", later).tolist()
    [2.0, 2.0]
    """

    def __init__(self, rates: pd.DataFrame) -> None:
        names = {*rates["currency"], *rates["to_currency"]}
        self._names = pd.Index(sorted(names), dtype=object)
        direct = rates[["currency", "to_currency", "quoted_at", "rate"]].assign(direct=True)
        inverse = direct.rename(columns=_SWAPPED).assign(rate=1 / direct["rate"], direct=False)
        both = pd.concat([direct, inverse], ignore_index=True)
        pair = self._pair(
            codes_in(self._names, both["currency"]), codes_in(self._names, both["to_currency"])
        )
        # Of two rates of one moment the last counts: the one that was quoted this way round.
        self._quotes = Timeline(both, pair, micros(both["quoted_at"]), ties=("direct",))

    def rate(
        self, currency: pd.Series[Any], to: pd.Series[Any] | str, before: pd.Series[Any]
    ) -> pd.Series[float]:
        """Return how many units of one currency a unit of another was worth.

        Parameters
        ----------
        currency : Series of str, shape (n,)
            What is exchanged; null is unknown.
        to : Series of str, shape (n,), or str
            What it is exchanged for, one for each or one for all.
        before : Series of datetime, shape (n,)
            Only rates quoted strictly before count.

        Returns
        -------
        Series, aligned to `currency`
            1 between a currency and itself, whether it was ever quoted or not; null where no rate
            was known.
        """
        wanted = pd.Series(to, index=currency.index) if isinstance(to, str) else to
        have, want = codes_in(self._names, currency), codes_in(self._names, wanted)
        at = micros(before)
        rate, _ = self._quoted(have, want, at)
        through, _ = self._through_another(have, want, at)
        rate = np.where(np.isnan(rate), through, rate)
        same = (currency == wanted).fillna(False).to_numpy(dtype=bool)
        return pd.Series(np.where(same, 1.0, rate), index=currency.index)

    def convert(
        self,
        amount: pd.Series[Any],
        currency: pd.Series[Any],
        to: pd.Series[Any] | str,
        before: pd.Series[Any],
    ) -> pd.Series[float]:
        """Return amounts in another currency; null where no `rate` was known."""
        return amount * self.rate(currency, to, before)

    def _pair(self, have: Ints, want: Ints) -> Ints:
        return np.where((have < 0) | (want < 0), -1, have * len(self._names) + want)

    def _quoted(self, have: Ints, want: Ints, at: Ints) -> tuple[Floats, Ints]:
        """Return the latest rate between two currencies and its time, NaN and `NEVER` if none."""
        row = self._quotes.last(self._pair(have, want), at)
        rate = self._quotes.frame["rate"].to_numpy(dtype=np.float64)
        return (
            np.asarray(pick(rate, row), dtype=np.float64),
            np.asarray(pick(self._quotes.at, row, NEVER), dtype=np.int64),
        )

    def _through_another(self, have: Ints, want: Ints, at: Ints) -> tuple[Floats, Ints]:
        """Return the rate through the currency whose older leg is the latest, and that time.

        The first by name among equals.
        """
        best, latest = np.full(len(at), np.nan), np.full(len(at), NEVER, dtype=np.int64)
        for middle in range(len(self._names)):
            between = np.full(len(at), middle, dtype=np.int64)
            first, first_at = self._quoted(have, between, at)
            second, second_at = self._quoted(between, want, at)
            older = np.minimum(first_at, second_at)
            better = older > latest
            best = np.where(better, first * second, best)
            latest = np.where(better, older, latest)
        return best, latest
