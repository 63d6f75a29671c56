"""The limits of a plan as rows of numbers over its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from matcher.planning.options import Options
from matcher.planning.request import DIMENSIONS, Dimension, PlanRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Kind = Literal["budget", "kols", "quota", "share", "must", "without", "max_risk", "money_per_kol"]


@dataclass(frozen=True)
class Limit:
    """``low <= (count + money * price) @ x <= high``, where x is 1 for who is chosen.

    Attributes
    ----------
    kind : str
        What sort of limit it is.
    count, money : ndarray, shape (n,)
        What a choice of each option adds, by itself and per unit of its price.
    low, high : float
        Bounds, infinite where there is none.
    of, name : str
        Of quotas and shares the dimension and the group; of musts the KOL.
    share : float
        Of shares of money: the least or largest share that is allowed.
    """

    kind: Kind
    count: Floats
    money: Floats
    low: float = -np.inf
    high: float = np.inf
    of: str = ""
    name: str = ""
    share: float = np.nan

    def row(self, price: Floats) -> Floats:
        """Return what a choice of each option adds at its price."""
        return self.count + self.money * price


@dataclass(frozen=True)
class Bar:
    """Options that may not be chosen, and how far each is beyond what is allowed.

    Attributes
    ----------
    kind : str
        What bars them.
    excess : ndarray, shape (n,)
        Above 0 where barred: in share of risk, in money, or 1.
    limit : float
        What is allowed; NaN where it is no number.
    name : str
        The KOL where one is ruled out.
    """

    kind: Kind
    excess: Floats
    limit: float = np.nan
    name: str = ""


@dataclass(frozen=True)
class Limits:
    """All limits of a plan.

    Attributes
    ----------
    person : ndarray of int, shape (n,)
        Whose each option is; nobody may be chosen twice.
    rows : tuple of Limit
        On sets.
    bars : tuple of Bar
        On single options.
    budget : float
        Infinite without one.
    """

    person: NDArray[np.int64]
    rows: tuple[Limit, ...]
    bars: tuple[Bar, ...] = ()
    budget: float = np.inf

    @property
    def barred(self) -> NDArray[np.bool_]:
        """Which options may not be chosen."""
        nobody = np.zeros(len(self.person), dtype=bool)
        for bar in self.bars:
            nobody |= bar.excess > 0
        return nobody


def limits_of(options: Options, request: PlanRequest) -> Limits:
    """Word a request as rows over options."""
    size = len(options)
    zeros, ones = np.zeros(size), np.ones(size)
    budget = np.inf if request.budget is None else request.budget
    rows = [Limit("budget", zeros, ones, high=budget)] if np.isfinite(budget) else []
    if request.kols is not None or request.kols_least:
        most = np.inf if request.kols is None else float(request.kols)
        rows.append(Limit("kols", ones, zeros, float(request.kols_least), most))
    rows += _quotas(options, request)
    ids = options.frame["kol_id"]
    for kol_id in request.must:
        here = np.asarray(ids == kol_id, dtype=np.float64)
        rows.append(Limit("must", here, zeros, low=1.0, name=kol_id))
    person = options.frame["person_id"].factorize()[0]
    return Limits(person, tuple(rows), tuple(_bars(options, request)), budget)


def group(options: Options, of: Dimension, name: str) -> Floats:
    """Return 1 for options of a platform, tier, mode or vertical, else 0."""
    if of == "vertical":
        told = [name in verticals for verticals in options.frame["verticals"]]
        return np.array(told, dtype=np.float64).reshape(len(options))
    return np.asarray(options.frame[of] == name, dtype=np.float64)


def _quotas(options: Options, request: PlanRequest) -> list[Limit]:
    zeros = np.zeros(len(options))
    rows: list[Limit] = []
    for quota in request.quotas:
        here = group(options, quota.of, quota.name)
        low = float(quota.least) if quota.least else -np.inf
        high = np.inf if quota.most is None else float(quota.most)
        if np.isfinite(low) or np.isfinite(high):
            rows.append(Limit("quota", here, zeros, low, high, quota.of, quota.name))
        if quota.least_share:
            rows.append(_share(here, quota.least_share, 0.0, np.inf, quota.of, quota.name))
        if quota.most_share is not None and quota.most_share < 1:
            rows.append(_share(here, quota.most_share, -np.inf, 0.0, quota.of, quota.name))
    for of in DIMENSIONS:
        share = request.diversity.get(of, 1.0)
        rows += [
            _share(group(options, of, name), share, -np.inf, 0.0, of, name)
            for name in (_names(options, of) if share < 1 else ())
        ]
    return rows


def _share(here: Floats, share: float, low: float, high: float, of: str, name: str) -> Limit:
    """Bound what a group costs, less its share of all that is spent."""
    return Limit("share", np.zeros(len(here)), here - share, low, high, of, name, share)


def _names(options: Options, of: Dimension) -> list[str]:
    if of == "vertical":
        return sorted({name for names in options.frame["verticals"] for name in names})
    return sorted(set(options.frame[of]) - {""})


def _bars(options: Options, request: PlanRequest) -> list[Bar]:
    bars, ids = [], options.frame["kol_id"]
    for kol_id in request.without:
        here = np.asarray(ids == kol_id, dtype=np.float64)
        if here.any():
            bars.append(Bar("without", here, name=kol_id))
    for kind, column, limit in (
        ("max_risk", "risk", request.max_risk),
        ("money_per_kol", "price", request.money_per_kol),
    ):
        if limit is not None:
            excess = np.maximum(options.floats(column) - limit, 0.0)
            bars.append(Bar(kind, excess, limit))  # type: ignore[arg-type]
    return bars
