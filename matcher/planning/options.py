"""What a plan may choose from: who, in which mode, at what price, and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.history import TIER_FLOORS, tier_codes
from matcher.wording import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

PEOPLE_GOALS = ("awareness", "seeding")
"""Goals whose value is people: whom two KOLs reach counts once."""
FIGURES = ("views", "engagements", "orders", "gmv")
"""Figures whose totals are told, each by its quantiles."""
ENDS = ("p10", "p50", "p90")
DRIVERS = {
    "awareness": "views",
    "seeding": "views",
    "engagement": "engagements",
    "co_creation": "engagements",
    "conversion": "gmv",
}
"""By goal, the figure whose spread its value has."""
NO_ACCEPTANCE = Text(
    "没有接受概率的预测：按全部达人都会接受来测算。",
    "No chance of a yes is forecast: the plan counts on everybody accepting.",
)


@dataclass(frozen=True)
class Options:
    """The options of one brief, by kol_id and mode.

    Attributes
    ----------
    frame : DataFrame
        kol_id, mode, person_id, platform, tier, verticals, price, currency, value, accept, risk,
        and the quantiles of `FIGURES`; none of price, value, accept and risk is null.
    goal : str
        Goal of the brief; empty where unknown.
    stand_in : bool
        Whether value is only a place in the ranking, since no model tells it.
    notes : tuple of Text
        What a reader must know about them.
    """

    frame: pd.DataFrame
    goal: str
    stand_in: bool
    notes: tuple[Text, ...]

    def __len__(self) -> int:
        return len(self.frame)

    def floats(self, column: str) -> NDArray[np.float64]:
        """Return a column as numbers."""
        return self.frame[column].to_numpy(dtype=np.float64)

    @property
    def counts_people(self) -> bool:
        """Whether value is people, each to be counted once."""
        return self.goal in PEOPLE_GOALS and not self.stand_in

    def with_figures(self, told: pd.DataFrame) -> Options:
        """Return the same options with the quantiles that another frame tells of some of them."""
        names = [f"{figure}_{end}" for figure in FIGURES for end in ENDS]
        known = told.set_index(["kol_id", "mode"])[[n for n in names if n in told]]
        kept = self.frame.drop(columns=list(known))
        return replace(self, frame=kept.join(known, on=["kol_id", "mode"]))

    def trust(self, risk_aversion: float) -> NDArray[np.float64]:
        """Return how far each option's value is counted on: it says yes and does no harm."""
        spared = (1 - self.floats("risk")) ** risk_aversion
        return np.asarray(self.floats("accept") * spared)


def options_of(
    options: pd.DataFrame, roster: pd.DataFrame, goal: str | None, currency: str | None
) -> Options:
    """Make ready what one brief may choose from.

    Parameters
    ----------
    options : DataFrame
        `serving.results.OPTIONS` of one brief, and each KOL's ``risk`` and ``score`` for it.
    roster : DataFrame
        KOLS, one row a KOL, for who is the same person and where they publish.
    goal : str or None
        Goal of the brief.
    currency : str or None
        Currency of its money. Without one that of most options counts, as money is not converted.
    """
    frame = _with_profile(options, roster)
    frame = frame[frame["price"].notna() & frame["currency"].notna()]
    notes: list[Text] = []
    if currency is None and len(frame):
        currency = str(frame["currency"].value_counts(sort=False).sort_index().idxmax())
    foreign = frame["currency"] != currency
    if foreign.any():
        kols = frame.loc[foreign, "kol_id"].nunique()
        notes.append(
            Text(
                f"{kols} 位达人以其他币种报价，未纳入方案（不做换算）。",
                f"{kols} KOLs quote in another currency than {currency} and are left out: money "
                "is not converted.",
            )
        )
        frame = frame[~foreign]
    frame, stand_in = _with_value(frame, notes)
    frame, yes = _with_chances(frame)
    notes += yes
    frame = frame.sort_values(["kol_id", "mode"], ignore_index=True)
    return Options(frame, goal if isinstance(goal, str) else "", stand_in, tuple(notes))


def _with_profile(options: pd.DataFrame, roster: pd.DataFrame) -> pd.DataFrame:
    about = roster.drop_duplicates("kol_id").set_index("kol_id")
    about = about.reindex(columns=["person_id", "platform", "followers", "verticals"])
    told = options.drop(columns=[c for c in about if c in options])
    frame = told.join(about, on="kol_id").reset_index(drop=True)
    codes = pd.Series(tier_codes(frame["followers"].to_numpy(dtype=np.float64)))
    wanted = [f"{figure}_{end}" for figure in FIGURES for end in ENDS]
    missing = [name for name in (*wanted, "refund_rate") if name not in frame]
    return frame.assign(
        person_id=frame["person_id"].astype(object).fillna(frame["kol_id"]),
        platform=frame["platform"].astype(object).where(frame["platform"].notna(), ""),
        tier=codes.map(dict(enumerate(TIER_FLOORS))).astype(object).where(codes.notna(), ""),
        verticals=frame["verticals"].map(lambda names: names if isinstance(names, tuple) else ()),
        **dict.fromkeys(missing, np.nan),
    )


def _with_value(frame: pd.DataFrame, notes: list[Text]) -> tuple[pd.DataFrame, bool]:
    """Keep options whose value is known; where no value is, take their places instead."""
    known = frame["value"].notna()
    if known.any():
        if not known.all():
            kols = frame.loc[~known, "kol_id"].nunique()
            notes.append(
                Text(
                    f"{kols} 位达人的价值无法预测，未纳入方案。",
                    f"What {kols} KOLs would bring is not forecast; they are left out.",
                )
            )
        return frame[known], False
    basis, told = _stand_in(frame)
    if len(frame):
        notes.append(basis)
    return frame.assign(value=told), True


def _stand_in(frame: pd.DataFrame) -> tuple[Text, pd.Series[Any]]:
    fit = frame["fit"] if "fit" in frame else pd.Series(np.nan, index=frame.index)
    if fit.notna().any():
        text = Text(
            "没有价值预测：方案按匹配度（好评概率）之和最大化，仅供参考。",
            "No value is forecast: the plan maximises the sum of fit, the chance of a good grade.",
        )
        return text, fit.fillna(0.0)
    text = Text(
        "没有价值预测：方案按匹配排名的先后（相似度）选人，不代表预期效果。",
        "No value is forecast: the plan goes by each KOL's place in the ranking (likeness), which "
        "says nothing of what they bring.",
    )
    # A place, not a margin: margins may be negative, and their distances mean nothing.
    scores = frame.groupby("kol_id")["score"].first()
    return text, frame["kol_id"].map(scores.rank(pct=True)).fillna(0.0)


def _with_chances(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Text]]:
    accept, risk = frame["accept"], frame["risk"]
    unknown = bool(len(frame)) and bool(accept.isna().all())
    usual = 1.0 if unknown else accept.mean()
    frame = frame.assign(accept=accept.fillna(usual), risk=risk.fillna(0.0).clip(0, 1))
    return frame, [NO_ACCEPTANCE] if unknown else []
