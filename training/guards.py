"""What must hold beside a lead: no slice lost, honest odds, nobody unseen.

Each guard returns one `training.verdict.Check`; those that look for leaks are in `training.leaks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.history import TIER_FLOORS
from matcher.config import GateConfig
from training.calibration import calibration_error, noise_floor
from training.contest import CHALLENGER, CHAMPION, Contest, Corner
from training.shared_luck import shared_luck
from training.significance import chance_of_no_harm, holm
from training.slices import LEAST_BRANDS, slices_of
from training.verdict import Check

if TYPE_CHECKING:
    from numpy.typing import NDArray

BROKEN = 0.2
"""Share of a slice's twos by which a slice must fall behind the rival to be called broken."""
SEEN = 0.05
"""Share of the champion's places below which a follower tier has little to lose."""


def slices(contest: Contest, rival: NDArray[np.float64], settings: GateConfig) -> Check:
    """Check that no slice is clearly worse ordered than by the rival, nor broken.

    Clearly worse: below the rival's by more than ``slice_harm``, by a one-sided t over brands, Holm
    over slices. Broken: behind the rival by `BROKEN`, and by that t less than half as far above
    chance as the challenger is on all briefs. Few brands make Holm blind even to a slice that is
    ranked upside down; so large a fall is told without it.

    What counts for a slice (`training.slices`) is every two tried KOLs of a brief that were graded
    differently, of whom one or both are in it: is the better one higher? NDCG of the slice's own
    short lists would ask far fewer questions, and miss a slice that is ranked right in itself but
    wrongly among the rest.

    Parameters
    ----------
    contest : Contest
        Both models before the same briefs.
    rival : ndarray, shape (n,)
        Scores of the contest's pairs by the champion, or by the best simple rule.
    settings : GateConfig
        ``slice_harm`` is how much worse may be, as a share of those questions.
    """
    rows = contest.graded
    pairs = contest.pairs[rows]
    own = contest.challenger.scored["score"].to_numpy(dtype=np.float64)[rows]
    labels = slices_of(pairs, contest.history)
    brands = contest.history.tables.briefs.set_index("brief_id")["brand_id"]
    half = (0.5 + order_by_brief(pairs, own).mean()) / 2
    found = {}
    for dimension in labels:
        for value in sorted(labels[dimension].dropna().unique()):
            inside = (labels[dimension] == value).to_numpy()
            told = pd.DataFrame(
                {
                    "own": order_by_brief(pairs, own, inside),
                    "rival": order_by_brief(pairs, rival[rows], inside),
                }
            )
            if brands[told.index].nunique() < LEAST_BRANDS:
                continue
            chance = chance_of_no_harm(told["own"] - told["rival"], brands, settings.slice_harm)
            poor = chance_of_no_harm(told["own"] - half, brands)
            found[f"{dimension}: {value}"] = (*told.mean(), chance, poor, len(told))
    table = pd.DataFrame(found, index=["own", "rival", "p", "poor", "briefs"]).T
    if table.empty:
        words = f"no slice has briefs of {LEAST_BRANDS} brands, which it takes to tell"
        return Check("slices", True, words)
    table["lead"], alpha = table["own"] - table["rival"], 1 - settings.confidence
    broken = (table["poor"] <= alpha) & (table["lead"] <= -BROKEN)
    worse = table[(holm(table["p"]) <= alpha) | broken].sort_values("lead")
    table = table.sort_values("lead")
    figures = {"slices": float(len(table)), "worst_lead": float(table["lead"].iloc[0])}
    told_worst = "; ".join(
        f"{name}: orders {row['own']:.0%} rightly, the other {row['rival']:.0%}, in "
        f"{int(row['briefs'])} briefs"
        for name, row in (table.head(1) if worse.empty else worse.head(5)).iterrows()
    )
    if worse.empty:
        words = f"none of {len(table)} slices is clearly worse; the lowest is {told_worst}"
        return Check("slices", True, words, figures)
    return Check("slices", False, f"clearly worse: {told_worst}", figures)


def order_by_brief(
    pairs: pd.DataFrame, score: NDArray[np.float64], inside: NDArray[np.bool_] | None = None
) -> pd.Series[float]:
    """Return how often the better graded of two KOLs of a brief has the higher score.

    Parameters
    ----------
    pairs : DataFrame, n rows
        brief_id and grade.
    score : ndarray, shape (n,)
        Any order; equal or unknown scores count half.
    inside : ndarray of bool, shape (n,), optional
        Only twos of which one or both are inside count; by default all do.

    Returns
    -------
    Series, indexed by brief_id
        0-1, 0.5 is chance; briefs without two grades are absent.
    """
    grade, within = pairs["grade"].to_numpy(dtype=np.float64), inside
    found = {}
    for brief, rows in pairs.groupby("brief_id").indices.items():
        better = np.subtract.outer(grade[rows], grade[rows]) > 0
        if within is not None:
            better &= np.logical_or.outer(within[rows], within[rows])
        if better.any():
            # Two that no rule can score are minus infinity both: equals, and no difference.
            own = score[rows]
            above, below = np.greater.outer(own, own), np.less.outer(own, own)
            found[str(brief)] = float((1.0 + above - below)[better].mean() / 2)
    return pd.Series(found, dtype=np.float64).rename_axis("brief_id")


def calibration(contest: Contest, settings: GateConfig) -> Check:
    """Check that `fit` errs no more than luck or the champion does, and a little.

    Luck that outcomes of a brand share (`training.shared_luck`) is luck as well.
    """
    tried = contest.tried
    good = contest.pairs["success"].to_numpy(dtype=np.float64)[tried]
    brands = contest.history.tables.briefs.set_index("brief_id")["brand_id"]
    brand = brands[contest.pairs["brief_id"][tried]].to_numpy()
    own = _fit_error(contest.challenger, tried, good, brand)
    if own is None:
        return Check("calibration", True, "no pair of these briefs tells whether fit was right")
    error, floor = own
    other = None if contest.champion is None else _fit_error(contest.champion, tried, good, brand)
    limit = max(floor, floor if other is None else other[0]) + settings.calibration
    words = f"fit errs by {error:.3f} on {len(good)} pairs; up to {floor:.3f} may be luck"
    if other is not None:
        words += f", the champion errs by {other[0]:.3f}"
    figures = {"ece": error, "noise_floor": floor, "limit": limit}
    if other is not None:
        figures["champion_ece"] = other[0]
    return Check("calibration", error <= limit, f"{words}; allowed: {limit:.3f}", figures)


def _fit_error(
    corner: Corner, tried: NDArray[np.bool_], good: NDArray[np.float64], brand: NDArray[np.object_]
) -> tuple[float, float] | None:
    fit = corner.scored["fit"].to_numpy(dtype=np.float64)[tried]
    if not len(fit) or np.isnan(fit).any():
        return None
    shared = shared_luck(fit, good, brand)
    return calibration_error(fit, good), noise_floor(fit, cluster=brand, correlation=shared)


def exposure(contest: Contest, settings: GateConfig) -> Check:
    """Check that no follower tier loses nearly all of its places in the lists."""
    if contest.champion is None:
        return Check("exposure", True, "no champion whose lists could be compared")
    top = contest.challenger.matcher.config.serving.top
    own, other = (tier_shares(contest.rosters, name, top) for name in (CHALLENGER, CHAMPION))
    figures = {
        f"{tier}_{who}": float(shares[tier])
        for tier in own.index
        for who, shares in (("challenger", own), ("champion", other))
    }
    seen = other[other >= SEEN].index
    lost = [tier for tier in seen if own[tier] < settings.exposure * other[tier]]
    told = ", ".join(
        f"{tier} {own[tier]:.0%} (champion {other[tier]:.0%})" for tier in lost or seen
    )
    words = f"places in the first {top}: {told}"
    if lost:
        words = f"hardly shown any more: {told}; {settings.exposure:.0%} of its share must stay"
    return Check("exposure", not lost, words, figures)


def tier_shares(rosters: pd.DataFrame, ranker: str, top: int) -> pd.Series[float]:
    """Return each follower tier's share of the first places of the lists.

    Parameters
    ----------
    rosters : DataFrame
        `training.contest.Contest.rosters`.
    ranker : str
        Column of scores.
    top : int
        Places a brief.

    Returns
    -------
    Series, indexed by tier
        0 for tiers without a place; sums to 1, less what has no known tier.
    """
    ordered = rosters.sort_values(["brief_id", ranker, "kol_id"], ascending=[True, False, True])
    first = ordered.groupby("brief_id").head(top)
    places = first["tier"].value_counts().reindex(list(TIER_FLOORS), fill_value=0)
    return places / max(len(first), 1)
