"""Everything a reader is told of the matches on a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.history import TIER_FLOORS, History, tier_codes
from features.pipeline import FeaturePipeline
from matcher.candidates import Candidates
from matcher.directory import Directory
from matcher.forecast import VIEWS
from matcher.lifecycle import halving, stages
from matcher.likeness import likeness_contributions
from matcher.modes import tell_options
from matcher.prices import price_bands
from matcher.reasons.cautions import cautions
from matcher.reasons.comparisons import standing
from matcher.reasons.explain import by_family, explain, explain_draw, facts_of
from matcher.reasons.precedents import precedents
from matcher.returns import returns
from matcher.risk.register import risk_register
from matcher.successors import successors

if TYPE_CHECKING:
    from matcher.model import Matcher

SHOWN_RATES = ("engagement_rate", "ctr", "cvr", "accept", "refund_rate")


def describe(
    matcher: Matcher,
    found: Candidates,
    best: pd.DataFrame,
    history: History,
    pipeline: FeaturePipeline,
) -> pd.DataFrame:
    """Say of each match who it is, what it costs and would bring, and why it is there.

    Parameters
    ----------
    matcher : Matcher
        Whose matches they are.
    found : Candidates
        The listed, settled.
    best : DataFrame
        Their score, fit and places (`matcher.explore.choose_places`), and how they stand among
        all candidates (`matcher.reasons.comparisons.among_candidates`), aligned.
    history : History
        The tables.
    pipeline : FeaturePipeline
        What made their signals.

    Returns
    -------
    DataFrame, aligned to the pairs of `found`
        `serving.results.MATCHES`.
    """
    kols, offers = found.roster, found.offers
    told = matcher.forecasts.outlook(found.signals, offers["currency"])
    described = pd.DataFrame(
        {
            "brief_id": found.pairs["brief_id"],
            "rank": best["rank"],
            "kol_id": found.pairs["kol_id"],
            "platform": kols["platform"],
            "display_name": kols["display_name"],
            "person_id": kols["person_id"].fillna(kols["kol_id"]),
            "tier": _tiers(kols["followers"]),
            "followers": kols["followers"],
            "mode": offers["mode"],
            "price": offers["price"],
            "currency": offers["currency"],
            "fit": best["fit"],
            "score": best["score"],
            "risk": found.risk,
            "median_views": np.expm1(found.signals["reach.median_views"]).round(),
        }
    )
    band = price_bands(found.pairs, offers, history)
    brings = returns(
        matcher.forecasts,
        found.signals,
        described,
        draws=matcher.config.serving.draws,
        seed=matcher.config.seed,
    )
    shown = told[[*VIEWS, *SHOWN_RATES]]
    usual = {"price.low": band["price_low"], "price.high": band["price_high"]}
    known = pd.concat([found.signals.assign(**usual), standing(best)], axis=1)
    facts = facts_of(found.pairs, known, offers["currency"], history, pipeline)
    parts = matcher.contributions(found.signals)
    families = by_family(likeness_contributions(found.signals) if parts is None else parts)
    reasons = explain_draw(explain(facts, families), best)
    matches = pd.concat(
        [described, band, shown.assign(**shown[list(VIEWS)].round()), brings, reasons], axis=1
    ).assign(
        value=told["value"],
        stage=stages(found.signals),
        halving=halving(found.pairs, history),
        basis=matcher.basis,
        list_chance=best["list_chance"],
        explored=best["explored"],
    )
    goals = history.tables.briefs.set_index("brief_id")["goal"].reindex(matches["brief_id"])
    return pd.concat([matches, cautions(matches, facts, families, goals.tolist())], axis=1)


def details(
    matcher: Matcher,
    found: Candidates,
    history: History,
    pipeline: FeaturePipeline,
    directory: Directory,
) -> dict[str, pd.DataFrame]:
    """Tell more of the matches of some briefs, by the name of a table (`serving.results.DETAILS`).

    Parameters
    ----------
    matcher, found, history, pipeline
        As for `describe`.
    directory : Directory
        Everybody known at the moment, among whom successors are looked for.
    """
    settings = matcher.config
    horizon = settings.training.horizon_days
    return {
        "options": tell_options(
            found, history, pipeline, matcher.forecasts, settings.serving, settings.seed
        ),
        "risks": risk_register(found, history, pipeline.config),
        "precedents": precedents(found.pairs, history, pipeline, horizon),
        "successors": successors(found, directory),
    }


def _tiers(followers: pd.Series[Any]) -> pd.Series[Any]:
    codes = pd.Series(tier_codes(followers.to_numpy(dtype=np.float64)), index=followers.index)
    return codes.map(dict(enumerate(TIER_FLOORS)))
