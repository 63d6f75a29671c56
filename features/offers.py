"""Which quote applies to a pair.

Of the quotes known before ``as_of``, the latest in each mode and currency counts as long as it is
valid. The offer of a pair is the cheapest of those in a mode that the brief allows and in its
currency. A pair that is looked at in one mode (``mode`` of PAIRS) takes the quote of that mode if
there is such a one. Money is never converted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from features.columns import TIME
from features.history import QUOTED_MODES, History
from features.timeline import Bools, Floats, Ints, pick, positions, take
from features.view import View

_BLOCK = 65_536
"""Pairs whose quotes are held at once."""


@dataclass(frozen=True)
class Offers:
    """The offer of each pair, and why there is none.

    Attributes
    ----------
    row : ndarray of int64, shape (pairs,)
        Row of `History.rates`, -1 where no quote applies.
    modes : ndarray of int64, shape (pairs,)
        How many modes apply.
    has_quote, has_mode, mismatch : ndarray of bool, shape (pairs,)
        Whether any quote is valid; whether one is in an allowed mode; whether those in an allowed
        mode are all in a currency that is not the brief's.
    """

    row: Ints
    modes: Ints
    has_quote: Bools
    has_mode: Bools
    mismatch: Bools


def choose_offers(view: View) -> Offers:
    """Choose the offer of each pair."""
    parts = [
        _choose_offers(_Asked(view, slice(start, start + _BLOCK)))
        for start in range(0, max(len(view), 1), _BLOCK)
    ]
    return Offers(
        *(np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(Offers))
    )


class _Asked:
    """Some pairs of a view."""

    def __init__(self, view: View, rows: slice) -> None:
        self.history, self.cells = view.history, view.cells
        self.brief, self.cell, self.mode = view.brief[rows], view.cell[rows], view.mode[rows]


def _choose_offers(view: _Asked) -> Offers:
    rows = view.cells.quotes_of(view.cell)
    there = rows >= 0
    allowed = there & _mode_allowed(view, rows)
    every = allowed & _currency_fits(view, rows)
    price = _prices(view.history, rows)
    fits = _in_first_currency(view.history, rows, every)
    # Modes are laid out by name, and the first of the cheapest is taken.
    open_to = _in_first_currency(view.history, rows, _in_mode(view, rows, every))
    best = np.argmin(np.where(open_to, price, np.inf), axis=1)
    found = fits.any(axis=1)
    has_mode = np.asarray(allowed.any(axis=1))
    return Offers(
        row=np.where(found, rows[np.arange(len(rows)), best], -1),
        modes=fits.sum(axis=1),
        has_quote=np.asarray(there.any(axis=1)),
        has_mode=has_mode,
        mismatch=has_mode & ~found,
    )


def current_offers(pairs: pd.DataFrame | View, history: History) -> pd.DataFrame:
    """Return the offer that applies to each pair, as of its time.

    Parameters
    ----------
    pairs : pandas.DataFrame or View
        PAIRS.
    history : History
        The past.

    Returns
    -------
    pandas.DataFrame
        Index of `pairs`. ``mode``, ``price``, ``currency``, ``quoted_at``, ``available_from``,
        ``available_to``: of the cheapest valid quote in a mode the brief allows and, where the
        brief names a currency, in that currency, and of the pair's own mode if there is such a
        one; ties go to the first mode by name; null where none applies. ``has_quote``,
        ``has_mode``, ``currency_mismatch`` (bool) say why.
    """
    view = pairs if isinstance(pairs, View) else View(pairs, history)
    offers = view.once(choose_offers)
    columns = ["mode", "price", "currency", "quoted_at", "available_from", "available_to"]
    frame = take(history.rates.frame[columns], offers.row)
    return frame.assign(
        has_quote=offers.has_quote,
        has_mode=offers.has_mode,
        currency_mismatch=offers.mismatch,
    ).set_index(view.index)


def quotes(pairs: pd.DataFrame, history: History, view: View | None = None) -> pd.DataFrame:
    """List every quote that applies to each pair, as of its time.

    Parameters
    ----------
    pairs : pandas.DataFrame
        PAIRS.
    history : History
        The past.
    view : View, optional
        The same pairs, if they were looked at already.

    Returns
    -------
    pandas.DataFrame
        One row a pair, mode and currency, in the pairs' order, then by mode and currency: ``pair``
        (position in `pairs`), ``brief_id``, ``kol_id``, ``as_of``, ``mode``, ``price``,
        ``currency``, ``quoted_at``, ``available_from``, ``available_to``.
    """
    view = View(pairs, history) if view is None else view
    rows = view.cells.quotes_of(view.cell)
    fits = (rows >= 0) & _mode_allowed(view, rows) & _currency_fits(view, rows)
    pair, quote = np.nonzero(fits)
    columns = ["mode", "price", "currency", "quoted_at", "available_from", "available_to"]
    asked = pairs[["brief_id", "kol_id", "as_of"]].iloc[pair].reset_index(drop=True)
    asked["as_of"] = asked["as_of"].astype(TIME)
    found = take(history.rates.frame[columns], rows[pair, quote])
    return pd.concat([pd.Series(pair, name="pair"), asked, found], axis=1)


def _in_mode(view: View | _Asked, rows: Ints, fits: Bools) -> Bools:
    """Keep the quotes in each pair's own mode, and all of those that name none or have none."""
    own = (
        fits & (view.mode >= 0)[:, None] & (quoted_modes(view.history, rows) == view.mode[:, None])
    )
    return np.where(own.any(axis=1)[:, None], own, fits)


def _in_first_currency(history: History, rows: Ints, fits: Bools) -> Bools:
    """Keep one currency of each pair, the first by code: amounts of two do not compare.

    A brief that names a currency has one anyway.
    """
    money = np.where(fits, _currencies(history, rows), np.iinfo(np.int64).max)
    first = money.min(axis=1, initial=np.iinfo(np.int64).max)
    return np.asarray(fits & (money == first[:, None]))


def quoted_modes(history: History, rows: Ints) -> Ints:
    """Return the position of each quote's mode in `QUOTED_MODES`, -1 where there is no quote."""
    return np.asarray(pick(history.rate_mode, rows, -1), dtype=np.int64)


def _mode_allowed(view: View | _Asked, rows: Ints) -> Bools:
    """Return whether each pair's brief allows the mode of each of its quotes, shape of `rows`."""
    allowed = view.history.once(_allowed_modes)
    mode = quoted_modes(view.history, rows)
    return np.asarray(allowed[view.brief[:, None], mode], dtype=bool)


def _allowed_modes(history: History) -> Bools:
    """Return whether each brief allows each mode, shape (briefs, modes)."""
    place = positions(QUOTED_MODES)
    lists = history.briefs["modes"]
    allowed = [[not modes or mode in modes for mode in place] for modes in lists]
    return np.array(allowed, dtype=bool).reshape(len(lists), len(place))


def _currency_fits(view: View | _Asked, rows: Ints) -> Bools:
    wanted = view.history.brief_currency[view.brief][:, None]
    return np.asarray((wanted < 0) | (_currencies(view.history, rows) == wanted))


def _currencies(history: History, rows: Ints) -> Ints:
    """Return the code of each quote's currency, -1 where there is no quote."""
    return np.asarray(pick(history.rate_currency, rows, -1), dtype=np.int64)


def _prices(history: History, rows: Ints) -> Floats:
    return np.asarray(pick(history.rate_price, rows), dtype=np.float64)
