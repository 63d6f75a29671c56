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
from training.evaluate import HEADLINE, Evaluation
from training.significance import chance_of_no_harm, holm
from training.slices import ALL, LEAST_BRANDS
from training.verdict import Check

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEEN = 0.05
"""Share of the champion's places below which a follower tier has little to lose."""


def slices(evaluation: Evaluation, rival: str, settings: GateConfig) -> Check:
    """Check that no slice is clearly worse than with the champion, Holm over slices."""
    rows = evaluation.per_brief
    rows = rows[(rows["slice"] != ALL) & rows["ranker"].isin([CHALLENGER, rival])]
    told = rows.pivot_table(
        index=["slice", "brief_id"], columns="ranker", values=HEADLINE, observed=True
    )
    brands = rows.drop_duplicates("brief_id").set_index("brief_id")["brand_id"]
    found = {}
    if len(told):
        for name, part in (told[CHALLENGER] - told[rival]).dropna().groupby(level="slice"):
            difference = part.droplevel("slice")
            if brands[difference.index].nunique() < LEAST_BRANDS:
                continue
            chance = chance_of_no_harm(difference, brands, settings.slice_harm)
            found[str(name)] = (float(difference.mean()), chance, len(difference))
    table = pd.DataFrame(found, index=["lead", "p", "briefs"]).T
    if table.empty:
        return Check(
            "slices", True, f"no slice has briefs of {LEAST_BRANDS} brands, which it takes to tell"
        )
    table["p"] = holm(table["p"])
    worse = table[table["p"] <= 1 - settings.confidence].sort_values("lead")
    least = table.sort_values("lead").iloc[0]
    figures = {"slices": float(len(table)), "worst_lead": float(least["lead"])}
    if worse.empty:
        words = (
            f"none of {len(table)} slices is clearly worse; the lowest lead is "
            f"{least['lead']:+.3f} in {least.name!r} ({int(least['briefs'])} briefs)"
        )
        return Check("slices", True, words, figures)
    told_worse = "; ".join(
        f"{name} {row['lead']:+.3f} in NDCG@10 over {int(row['briefs'])} briefs (p {row['p']:.3f})"
        for name, row in worse.head(5).iterrows()
    )
    return Check("slices", False, f"clearly worse: {told_worse}", figures)


def calibration(contest: Contest, settings: GateConfig) -> Check:
    """Check that `fit` errs no more than luck or the champion does, and a little."""
    tried = contest.tried
    good = contest.pairs["success"].to_numpy(dtype=np.float64)[tried]
    own = _fit_error(contest.challenger, tried, good)
    if own is None:
        return Check("calibration", True, "no pair of these briefs tells whether fit was right")
    error, floor = own
    other = None if contest.champion is None else _fit_error(contest.champion, tried, good)
    limit = max(floor, floor if other is None else other[0]) + settings.calibration
    words = f"fit errs by {error:.3f} on {len(good)} pairs; up to {floor:.3f} may be luck"
    if other is not None:
        words += f", the champion errs by {other[0]:.3f}"
    figures = {"ece": error, "noise_floor": floor, "limit": limit}
    if other is not None:
        figures["champion_ece"] = other[0]
    return Check("calibration", error <= limit, f"{words}; allowed: {limit:.3f}", figures)


def _fit_error(
    corner: Corner, tried: NDArray[np.bool_], good: NDArray[np.float64]
) -> tuple[float, float] | None:
    fit = corner.scored["fit"].to_numpy(dtype=np.float64)[tried]
    if not len(fit) or np.isnan(fit).any():
        return None
    return calibration_error(fit, good), noise_floor(fit)


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
