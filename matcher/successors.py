"""Who could follow a KOL: those alike who grow faster and ask less.

Alike is what the KOLs write about: the closest of their topics, as `matcher.directory` lays them
out. A successor is another person, is rising (`matcher.lifecycle`) and grows faster than the KOL,
and has a valid quote below the KOL's own in a mode and currency that both quote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from features.contract import PLATFORMS
from features.errors import UserError
from features.history import QUOTED_MODES, TIER_FLOORS, codes_in, tier_codes
from features.offers import current_offers
from features.roster import Cells
from features.search import Found
from features.signals.affinity import TEXT
from features.signals.growth import follower_growth
from features.timeline import Bools, Floats, Ints, micros
from matcher.candidates import Candidates
from matcher.directory import Directory
from matcher.eligibility import screen
from matcher.lifecycle import RISING, heading

SUCCESSORS = 3
"""Successors of each match."""
NEAREST = 300
"""Look-alikes among whom successors are looked for."""
ALIKE = 0.3
"""Least cosine of look-alikes."""
AT_HOME = 0.1
"""What the same platform is worth, in cosine: an audience seldom moves along."""
COLUMNS = ["successor_id", "display_name", "platform", "tier", "similarity", "price", "currency"]


@dataclass(frozen=True, eq=False)
class Chosen:
    """Who may follow somebody, the likest first, all aligned.

    Attributes
    ----------
    who : ndarray of int64
        Position in the directory.
    cosine : ndarray of float64
        How like.
    mode, currency : ndarray of int64
        In what they ask less: positions in `features.history.QUOTED_MODES` and
        `History.currencies`.
    """

    who: Ints
    cosine: Floats
    mode: Ints
    currency: Ints

    @classmethod
    def joined(cls, parts: Sequence[Chosen], most: int) -> tuple[Chosen, Ints]:
        """Put the first of each part together; also return which part each is of."""
        sizes = [min(len(part.who), most) for part in parts]
        columns = (
            np.concatenate([np.empty(0, dtype=kind), *(getattr(p, name)[:most] for p in parts)])
            for name, kind in (
                ("who", np.int64),
                ("cosine", np.float64),
                ("mode", np.int64),
                ("currency", np.int64),
            )
        )
        return cls(*columns), np.repeat(np.arange(len(parts)), sizes)


class Successors:
    """Finds the successors of KOLs at one moment.

    Parameters
    ----------
    directory : Directory
        The roster at that moment. KOLs are called by their position in it.
    """

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        history, size = directory.history, len(directory)
        at = np.full(size, micros(pd.Series([directory.as_of]))[0])
        self.cells = Cells(history, directory.codes, at, at[:1], 1)
        kols = directory.kols
        self.growth: Floats = follower_growth(self.cells, 90)
        slower = follower_growth(self.cells, 180)
        self.rising: Bools = heading(self.growth, self.growth - slower) >= RISING
        self.platform = codes_in(pd.Index(PLATFORMS), kols["platform"])
        self.person = pd.factorize(kols["person_id"].fillna(kols["kol_id"]))[0]

    @property
    def shape(self) -> tuple[int, int]:
        """How many modes there are, and currencies."""
        return len(QUOTED_MODES), max(len(self.directory.history.currencies), 1)

    def prices(self, kols: Ints) -> Floats:
        """Return what KOLs ask, shape (kols, modes, currencies); NaN where nothing valid."""
        history = self.directory.history
        rows = self.cells.quotes_of(kols)
        out = np.full((len(rows), *self.shape), np.nan)
        kol, quote = np.nonzero(rows >= 0)
        row = rows[kol, quote]
        mode, currency = history.rate_mode[row], history.rate_currency[row]
        out[kol, mode, currency] = history.rate_price[row]
        return out

    @cached_property
    def _rising(self) -> Ints:
        owner, row = self.cells.valid_quotes()
        quoted = np.zeros(len(self.directory), dtype=bool)
        quoted[owner[~np.isnan(self.directory.history.rate_price[row])]] = True
        return np.flatnonzero(quoted & self.rising).astype(np.int64)

    def alike(self, kols: Ints) -> list[Found]:
        """Return the nearest of those who rise and have a quote, one answer for each KOL."""
        places = self.directory.places(TEXT)
        asked = [places.vectors[places.start[k] : places.start[k + 1]] for k in kols.tolist()]
        return places.nearest(asked, self._rising, NEAREST) if len(kols) else []

    def choose(self, kol: int, found: Found, modes: Bools) -> pd.DataFrame:
        """Return whoever of the look-alikes may follow a KOL, the likest first.

        Parameters
        ----------
        kol : int
            Whom to follow.
        found : Found
            Its look-alikes, as `alike` gives them.
        modes : ndarray of bool, shape (modes, currencies)
            Which of `features.history.QUOTED_MODES` and `History.currencies` may be compared;
            of several the first in which a look-alike asks less is told.

        Returns
        -------
        DataFrame
            Columns `COLUMNS`, ``mode`` and ``growth``, and ``place`` in the directory.
        """
        return self.told(self.chosen(kol, found, modes))

    def chosen(self, kol: int, found: Found, modes: Bools) -> Chosen:
        """Choose whom `choose` tells of; parameters are the same."""
        who, cosine = found.owners, found.cosines
        kept = (self.person[who] != self.person[kol]) & (cosine >= ALIKE)
        # Growth that nobody knows is no better than theirs who rise.
        kept &= ~(self.growth[who] <= self.growth[kol])
        who, cosine = who[kept], cosine[kept]
        own = np.where(modes, self.prices(np.array([kol]))[0], np.nan)
        below = (self.prices(who) < own).reshape(len(who), own.size)
        there = below.any(axis=1)
        who, cosine, series = who[there], cosine[there], below[there].argmax(axis=1)
        mode, currency = series // own.shape[1], series % own.shape[1]
        home = self.platform[who] == self.platform[kol]
        rank = np.lexsort((who, -(cosine + AT_HOME * home)))
        return Chosen(who[rank], cosine[rank], mode[rank], currency[rank])

    def told(self, chosen: Chosen) -> pd.DataFrame:
        """Tell what `choose` tells."""
        who, mode, currency = chosen.who, chosen.mode, chosen.currency
        kols = self.directory.kols.iloc[who]
        tiers = dict(enumerate(TIER_FLOORS))
        told = pd.DataFrame(
            {
                "successor_id": kols["kol_id"],
                "display_name": kols["display_name"],
                "platform": kols["platform"],
                "tier": pd.Series(
                    tier_codes(kols["followers"].to_numpy(dtype=np.float64)), index=kols.index
                ).map(tiers),
                "similarity": np.minimum(chosen.cosine, 1.0),
                "price": self.prices(who)[np.arange(len(who)), mode, currency],
                "currency": self.directory.history.currencies.to_numpy()[currency],
                "mode": np.array(QUOTED_MODES)[mode],
                # A share, as people say it; the signal is its logarithm.
                "growth": np.expm1(self.growth[who]),
                "place": who,
            }
        )
        return told.reset_index(drop=True)


def successors(found: Candidates, directory: Directory, count: int = SUCCESSORS) -> pd.DataFrame:
    """Return the successors of each match that the brief's hard filters do not refuse.

    Parameters
    ----------
    found : Candidates
        The matches, all of the directory's moment.
    directory : Directory
        The roster.
    count : int
        How many of each match at most.

    Returns
    -------
    DataFrame
        `serving.results.SUCCESSORS`; prices are in the mode and currency of the match's offer, and
        who has none has no successor. Filters that need signals (audience, competitors, risk) are
        not asked.
    """
    finder, history = directory.once(Successors), directory.history
    place = directory.positions(found.pairs["kol_id"])
    kols, which = np.unique(place, return_inverse=True)
    alike = finder.alike(kols)
    mode = codes_in(pd.Index(QUOTED_MODES), found.offers["mode"])
    money = codes_in(history.currencies, found.offers["currency"])
    asked = np.flatnonzero((mode >= 0) & (money >= 0))
    chosen = []
    for pair in asked.tolist():
        offered = np.zeros(finder.shape, dtype=bool)
        offered[mode[pair], money[pair]] = True
        chosen.append(finder.chosen(int(place[pair]), alike[which[pair]], offered))
    whole, owner = Chosen.joined(chosen, _SCREENED)
    told = finder.told(whole)
    for name in ("brief_id", "kol_id"):
        told[name] = found.pairs[name].iloc[asked[owner]].array
    told = told.astype(_empty().dtypes.to_dict())
    frame = _screened(told, directory)
    frame["rank"] = frame.groupby(["brief_id", "kol_id"], sort=False).cumcount() + 1
    frame = frame[frame["rank"] <= count].reset_index(drop=True)
    return frame[["brief_id", "kol_id", "rank", *COLUMNS, "growth"]]


_SCREENED = 12
"""Likest successors of a match that are asked whether the brief would refuse them."""


def _screened(frame: pd.DataFrame, directory: Directory) -> pd.DataFrame:
    """Leave out whom the brief refuses."""
    history = directory.history
    pairs = frame[["brief_id"]].assign(kol_id=frame["successor_id"], as_of=directory.as_of)
    pairs = pairs.drop_duplicates(["brief_id", "kol_id"])
    kols = directory.kols.iloc[frame["place"].loc[pairs.index].to_numpy(dtype=np.int64)]
    pairs = pairs.reset_index(drop=True)
    offers = current_offers(pairs, history)
    refused = screen(pairs, history.briefs, kols.set_axis(pairs.index), offers).notna()
    bad = pd.MultiIndex.from_frame(pairs.loc[refused, ["brief_id", "kol_id"]])
    asked = pd.MultiIndex.from_arrays([frame["brief_id"], frame["successor_id"]])
    return frame[~asked.isin(bad)].reset_index(drop=True)


def successors_of(directory: Directory, kol_id: str, count: int = 10) -> pd.DataFrame:
    """Return the successors of any KOL of a roster, whatever the brief.

    Parameters
    ----------
    directory : Directory
        The roster at a moment.
    kol_id : str
        Whom to follow.
    count : int
        How many at most.

    Returns
    -------
    DataFrame
        rank, `COLUMNS`, mode and growth; no row where nobody alike grows faster for less.

    Raises
    ------
    UserError
        If no such KOL was known at that moment.
    """
    place = directory.positions([kol_id])[0]
    if place < 0:
        raise UserError(
            f"Got KOL {kol_id!r} but expected the id of one that was known before "
            f"{directory.as_of:%Y-%m-%d %H:%M} UTC; see kol_id in the kols table"
        )
    finder = directory.once(Successors)
    (alike,) = finder.alike(np.array([place], dtype=np.int64))
    every = np.ones(finder.shape, dtype=bool)
    told = finder.choose(int(place), alike, every).head(count)
    told.insert(0, "rank", np.arange(1, len(told) + 1))
    return told[["rank", *COLUMNS, "mode", "growth"]]


def _empty() -> pd.DataFrame:
    """Return no successors, so that a list without any has the columns of one with some."""
    texts = ["successor_id", "display_name", "platform", "tier", "currency", "mode"]
    frame = pd.DataFrame({name: pd.Series(dtype="str") for name in [*texts, "brief_id", "kol_id"]})
    numbers = {name: pd.Series(dtype="float64") for name in ("similarity", "price", "growth")}
    return frame.assign(**numbers, place=pd.Series(dtype="int64"))
