"""Marks of a leak and of dead signals: leads that cannot be true, and signals that moved.

A leaked column knows what the decision led to. A model that learned from one leads on past briefs,
where the column is filled in, and fails on open ones. It gives itself away: by a lead that is too
good, by hanging on one signal that the champion hardly used, or by a new signal that alone orders
KOLs nearly as well as the whole champion does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from matcher.config import GateConfig
from matcher.forecast import VALUE
from matcher.model import Matcher
from training.contest import Contest, Corner
from training.evaluate import HEADLINE
from training.guards import order_by_brief
from training.summary import SignalSummary
from training.verdict import Check

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHT = 0.02
"""Share of a model's gain from which on a signal counts as one that carries it."""
NEW = 0.05
"""Share of the scores' movement from which on a signal can make a lead of its own."""
LITTLE = 0.5
"""A champion that rests on a signal less than this times as much uses it little."""
SUSPECTS = 3
"""Signals that are taken away, one at a time, to see whether the lead hangs on one."""
CHANCE = 1e-3
"""A signal that luck would keep still less often than this is stale."""


def plausible(lead: float, contest: Contest, settings: GateConfig) -> Check:
    """Check that a lead over a champion is not too good to be true."""
    if contest.champion is None:
        return Check("plausible", True, "no champion over whom a lead could be too large")
    words = f"leads by {lead:+.3f}; above {settings.most_gain:.3f} a leak is likelier than a gain"
    return Check("plausible", not lead > settings.most_gain, words, {"lead": lead})


def one_signal(contest: Contest, rival: str, lead: float, settings: GateConfig) -> Check:
    """Check that the lead rests on no one signal that the champion hardly used.

    Signals that weigh much more than they do with the champion are new. None of them may alone
    order the pairs nearly as well as the champion does; and they are taken away one at a time
    (each pair gets the signal's median): if nearly all of the lead goes with one, it is refused.
    """
    name = "one signal"
    if contest.champion is None or not lead > 0:
        return Check(name, True, "there is no lead over a champion to explain")
    tried = contest.tried
    own = weights(contest.challenger, tried)
    other = weights(contest.champion, tried).reindex(own.index, fill_value=0.0)
    new = own[(own >= NEW) & (other < LITTLE * own)]
    new = (new - other[new.index]).sort_values(ascending=False)
    if new.empty:
        return Check(name, True, "no signal weighs much more than it did with the champion")

    def told(signal: str) -> str:
        return (
            f"{signal} has {own[signal]:.0%} of the weight, {other[signal]:.0%} with the champion"
        )

    order, champion = _alone(contest, list(new.index), tried)
    best = str(order.idxmax())
    limit = 0.5 + settings.knowledge * (champion - 0.5)
    figures = {"lead": lead, "alone": float(order[best]), "champion_order": champion}
    if order[best] > limit:
        words = (
            f"{told(best)}, and alone it orders {order[best]:.0%} of the pairs rightly, the "
            f"champion {champion:.0%}: is it known before the decision?"
        )
        return Check(name, False, words, figures)
    left = _leads_without(contest, rival, list(new.index[:SUSPECTS]))
    least = min(left, key=lambda signal: left[signal])
    figures |= {"lead_without": left[least], "weight": float(own[least])}
    words = f"{told(least)}; without it the lead of {lead:+.3f} would be {left[least]:+.3f}"
    if left[least] < (1 - settings.reliance) * lead:
        return Check(name, False, f"{words}: is it known before the decision?", figures)
    return Check(name, True, words, figures)


def _alone(
    contest: Contest, signals: list[str], tried: NDArray[np.bool_]
) -> tuple[pd.Series[float], float]:
    """Return how well each signal alone orders the pairs, either way round, and the champion."""
    pairs, values = contest.pairs[tried], contest.challenger.signals[tried]
    order = pd.Series(
        {
            signal: order_by_brief(pairs, values[signal].to_numpy(dtype=np.float64)).mean()
            for signal in signals
        }
    )
    champion = (contest.champion or contest.challenger).scored["score"]
    known = order_by_brief(pairs, champion.to_numpy(dtype=np.float64)[tried]).mean()
    return order.where(order >= 0.5, 1 - order), float(known)


def _leads_without(contest: Contest, rival: str, signals: list[str]) -> dict[str, float]:
    """Return what would be left of the lead without each signal."""
    known, without = contest.challenger.signals, {}
    for signal in signals:
        blank = known.assign(**{signal: known[signal].median()})
        without[signal] = contest.challenger.matcher.score(blank)["score"].to_numpy()
    means = contest.evaluation(without).summary(contest.view)[HEADLINE]
    # Where whole rosters decide nothing is scored anew, and nothing is left out.
    return {name: float(means.get(name, np.inf) - means[rival]) for name in signals}


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

    Ranker and forecasts count alike, as far as a goal's value needs them. What the score reads
    beside them, price and mode or a learned likeness, always carries it.
    """
    if matcher.ranker is None or matcher.forecaster is None:
        return pd.Series(dtype=np.float64)
    needed = {name for goal in matcher.forecaster.typical for name in VALUE[goal]}
    forests = [matcher.ranker.forest]
    forests += [head.forest for name, head in matcher.forecaster.heads.items() if name in needed]
    gain = pd.concat([forest.gain() for forest in forests], axis=1).fillna(0.0).mean(axis=1)
    like = matcher.ranker.likeness
    beside = (
        ["price.relative", "mode.kind"]
        if like is None and needed
        else list(like.weights if like else ())
    )
    return gain[(gain >= WEIGHT) | gain.index.isin(beside)].sort_values(ascending=False)
