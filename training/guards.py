"""What must hold beside a lead: no slice lost, honest odds, nobody unseen, no leak, live signals.

Each guard takes the contest and the gate's settings and returns one `training.verdict.Check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.history import TIER_FLOORS
from matcher.config import GateConfig
from matcher.forecast import VALUE
from matcher.model import Matcher
from training.calibration import calibration_error, noise_floor
from training.contest import CHALLENGER, CHAMPION, Contest, Corner
from training.evaluate import HEADLINE, Evaluation
from training.significance import chance_of_no_harm, holm
from training.slices import ALL, LEAST_BRANDS
from training.summary import SignalSummary
from training.verdict import Check

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SLICE = 4
"""Briefs below which a slice gets no verdict: a t of fewer is hardly ever clear."""
SEEN = 0.05
"""Share of the champion's places below which a follower tier has little to lose."""
WEIGHT = 0.02
"""Share of a model's gain from which on a signal counts as one that carries it."""
LITTLE = 0.5
"""A champion that rests on a signal less than this times as much uses it little."""
SUSPECTS = 3
"""Signals that are taken away, one at a time, to see whether the lead hangs on one."""
CHANCE = 1e-3
"""A signal that luck would keep still less often than this is stale."""


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
            if len(difference) < LEAST_SLICE or brands[difference.index].nunique() < LEAST_BRANDS:
                continue
            chance = chance_of_no_harm(difference, brands, settings.slice_harm)
            found[str(name)] = (float(difference.mean()), chance, len(difference))
    table = pd.DataFrame(found, index=["lead", "p", "briefs"]).T
    if table.empty:
        return Check("slices", True, "no slice has enough briefs to tell")
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
    return first["tier"].value_counts(normalize=True).reindex(list(TIER_FLOORS), fill_value=0.0)


def plausible(lead: float, contest: Contest, settings: GateConfig) -> Check:
    """Check that a lead over a champion is not too good to be true."""
    if contest.champion is None:
        return Check("plausible", True, "no champion over whom a lead could be too large")
    words = f"leads by {lead:+.3f}; above {settings.most_gain:.3f} a leak is likelier than a gain"
    return Check("plausible", not lead > settings.most_gain, words, {"lead": lead})


def one_signal(contest: Contest, rival: str, lead: float, settings: GateConfig) -> Check:
    """Check that the lead does not hang on one signal that the champion hardly used.

    That is what a leaked column looks like: it knows the answer, so nothing else is needed.
    Signals that weigh much more than they do with the champion are taken away one at a time (each
    pair gets the signal's median); if nearly all of the lead goes with one, it is refused.
    """
    name = "one signal"
    if contest.champion is None or not lead > settings.least_gain:
        return Check(name, True, "there is no lead over a champion to explain")
    tried = contest.tried
    own = weights(contest.challenger, tried)
    other = weights(contest.champion, tried).reindex(own.index, fill_value=0.0)
    new = own[(own >= WEIGHT) & (other < LITTLE * own)]
    suspects = (new - other[new.index]).sort_values(ascending=False).index[:SUSPECTS]
    without = {}
    for signal in suspects:
        known = contest.challenger.signals
        blank = known.assign(**{signal: known[signal].median()})
        without[signal] = contest.challenger.matcher.score(blank)["score"].to_numpy()
    if not without:
        return Check(name, True, "no signal weighs much more than it did with the champion")
    means = contest.evaluation(without).summary(contest.view)[HEADLINE]
    left = {signal: float(means[signal] - means[rival]) for signal in without}
    least = min(left, key=lambda signal: left[signal])
    share = 1 - left[least] / lead
    words = (
        f"without {least} the lead of {lead:+.3f} would be {left[least]:+.3f}; it has "
        f"{own[least]:.0%} of the weight, {other[least]:.0%} with the champion"
    )
    figures = {"lead": lead, "lead_without": left[least], "weight": float(own[least])}
    if share <= settings.reliance:
        return Check(name, True, words, figures)
    return Check(name, False, f"{words}: is it known before the decision?", figures)


def weights(corner: Corner, rows: NDArray[np.bool_]) -> pd.Series[float]:
    """Return how much each signal moves the scores of some pairs, as shares that sum to 1.

    The mean of the absolute contributions, exact SHAP values; empty where nothing was learned.
    """
    parts = corner.matcher.contributions(corner.signals[rows])
    if parts is None:
        return pd.Series(dtype=np.float64)
    moved = (parts - parts.mean()).abs().mean()
    return moved / max(float(moved.sum()), 1e-12)


def alive(contest: Contest, summary: SignalSummary | None, settings: GateConfig) -> Check:
    """Check that the signals that carry the challenger are as they were when it learned.

    A signal is stale when all pairs have the same value, or none, where training saw different
    ones and luck would hardly do that; and adrift when it is spread far otherwise than it was.
    """
    name = "live signals"
    if summary is None:
        return Check(name, False, "its training kept no summary of its signals; train again")
    signals, briefs = contest.challenger.signals, contest.pairs["brief_id"]
    if missing := sorted(set(summary.spreads) - set(signals)):
        return Check(name, False, f"the signals it learned from lack {', '.join(missing[:5])}")
    carried = carrying(contest.challenger.matcher)
    stale = []
    for signal in carried.index:
        spread, values = summary.spreads[signal], signals[signal].to_numpy(dtype=np.float64)
        bins, seen = spread.bins(values), np.array(spread.counts, dtype=np.float64)
        still = len(np.unique(values[~np.isnan(values)])) + bool(np.isnan(values).any()) <= 1
        # Pairs of one brief are alike: only briefs count as draws.
        if still and (seen[bins[0]] / seen.sum()) ** briefs.nunique() < CHANCE:
            stale.append(f"{signal} is {'unknown' if np.isnan(values[0]) else 'the same'}")
    if stale:
        words = f"{', '.join(stale[:5])} in all pairs, but was not when it learned"
        return Check(name, False, words, {"stale": float(len(stale))})
    psi = summary.psi(signals)[carried.index]
    over = psi - summary.luck(signals, briefs)[carried.index]
    adrift = psi[(psi > settings.drift) & (over > 0)].sort_values(ascending=False)
    figures = {"highest_psi": float(psi.max()) if len(psi) else 0.0, "signals": float(len(psi))}
    if len(adrift):
        told = ", ".join(f"{signal} (PSI {value:.1f})" for signal, value in adrift[:5].items())
        words = f"spread far otherwise than when it learned: {told}"
        return Check(name, False, words, figures)
    words = f"the {len(carried)} signals that carry it are alive"
    if len(psi):
        words += f"; the one that moved most is {psi.idxmax()} (PSI {psi.max():.2f})"
    return Check(name, True, words, figures)


def carrying(matcher: Matcher) -> pd.Series[float]:
    """Return the signals that carry a model, and their share of the gain of its forests.

    Ranker and forecasts count alike, as far as a goal's value needs them.
    """
    if matcher.ranker is None or matcher.forecaster is None:
        return pd.Series(dtype=np.float64)
    needed = {name for goal in matcher.forecaster.typical for name in VALUE[goal]}
    forests = [matcher.ranker.forest]
    forests += [head.forest for name, head in matcher.forecaster.heads.items() if name in needed]
    gain = pd.concat([forest.gain() for forest in forests], axis=1).fillna(0.0).mean(axis=1)
    return gain[gain >= WEIGHT].sort_values(ascending=False)
