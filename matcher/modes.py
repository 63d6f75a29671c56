"""In which mode to work with a KOL: what each one they offer would cost and bring, and the best.

Candidates are found in their cheapest mode. `settle` then looks at each of them in every mode that
they quote, that the brief allows and can pay, and puts it into the one that promises most for its
price. Where nothing was learned that could be promised, it goes by what a mode is for and by how
often the KOL has worked in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.history import History
from features.offers import quotes
from features.pipeline import FeaturePipeline
from matcher.candidates import TERMS, Candidates
from matcher.config import ServingConfig
from matcher.eligibility import possible
from matcher.forecast import VIEWS, Forecaster
from matcher.prices import price_bands
from matcher.reasons.mode_words import explain_options
from matcher.returns import RETURNS, returns

if TYPE_CHECKING:
    from numpy.typing import NDArray

SERVES: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "awareness": {
            **{"ad_placement": 2, "sponsorship": 2},
            **{"social_interaction": 1, "co_creation": 1, "offline_event": 1},
        },
        "seeding": {
            **{"co_creation": 2, "q_and_a": 2},
            **{"ad_placement": 1, "social_interaction": 1, "product_co_design": 1},
        },
        "engagement": {
            **{"social_interaction": 2, "co_creation": 2},
            **{"q_and_a": 1, "live_commerce": 1, "offline_event": 1},
        },
        "conversion": {
            "live_commerce": 2,
            **{"ad_placement": 1, "q_and_a": 1, "sponsorship": 1},
        },
        "co_creation": {
            **{"co_creation": 2, "product_co_design": 2, "joint_development": 2},
            **{"q_and_a": 1, "social_interaction": 1},
        },
    }
)
"""How far a mode serves a goal, by what it is made for: 2 is its purpose, 1 helps; others do not.
Only where nothing was learned: what past collaborations brought says more."""
FORECASTS = (*VIEWS, "engagement_rate", "ctr", "cvr", "accept", "refund_rate")
"""Forecasts of an option that need no drawn futures."""
OPTION_COLUMNS = (
    *("row", "brief_id", "kol_id", "as_of", *TERMS),
    *(*FORECASTS, "spread_rate", "brings", "value", "signed", "serves", "recommended"),
)
AT_ONCE = 10_000
"""Pairs whose modes are held at once."""


def settle(
    found: Candidates,
    history: History,
    pipeline: FeaturePipeline,
    forecaster: Forecaster,
) -> Candidates:
    """Put each candidate into the mode that suits it best.

    Parameters
    ----------
    found : Candidates
        Pairs in any mode.
    history : History
        The tables.
    pipeline : FeaturePipeline
        What made their signals.
    forecaster : Forecaster
        Fitted heads; without any, nothing is promised.

    Returns
    -------
    Candidates
        The same pairs in the same order, with the mode, offer and signals of the recommended
        option; and all ``options``, by pair and mode: ``row``, the index of the pair; brief_id,
        kol_id, as_of; the offer (mode, price, currency, quoted_at, available_from, available_to);
        views_p10, views_p50, views_p90, rates, accept, and ``brings`` and ``value`` as
        `matcher.forecast.Forecaster.outlook` tells them; ``signed``, collaborations the KOL
        signed in this mode; ``serves``, how far the mode serves the goal (`SERVES`); and
        ``recommended``, one a pair. A pair without an offer has no option and stays as it is.
    """
    offered = _offered(found, history)
    told, kept = [], []
    for part in _parts(offered):
        signals = option_signals(found, part, history, pipeline)
        options = _with_forecasts(part, signals, forecaster)
        options["recommended"] = recommended(options)
        best = options["recommended"].to_numpy()
        told.append(options)
        kept.append(signals[best].set_index(options.loc[best, "row"].to_numpy()))
    if not told:
        return replace(found, options=pd.DataFrame(columns=list(OPTION_COLUMNS)))
    options = pd.concat(told)[list(OPTION_COLUMNS)]
    chosen = options[options["recommended"]].set_index("row")
    offers, pairs, signals = found.offers.copy(), found.pairs.copy(), found.signals.copy()
    offers.loc[chosen.index, TERMS] = chosen[TERMS]
    pairs["mode"] = offers["mode"]
    changed = [f"{f.name}.{name}" for f in pipeline.families if f.by_mode for name in f.signals]
    signals.loc[chosen.index, changed] = pd.concat(kept)[changed]
    return replace(found, pairs=pairs, offers=offers, signals=signals, options=options)


def recommended(options: pd.DataFrame) -> NDArray[np.bool_]:
    """Say which option of each pair is the best, shape (n,).

    The one that promises most for its price: in worth or, where that cannot be told, in what the
    goal counts. Where neither can, the one that serves the goal best and in which the KOL has
    worked most: three collaborations count as much as one step of `SERVES`, fifteen as two. Of
    equals the cheapest, and then the first by name.

    Parameters
    ----------
    options : DataFrame, shape (n, ...)
        row, mode, price, value, brings, serves and signed.
    """
    worth = options["value"].fillna(options["brings"]).to_numpy(dtype=np.float64)
    price = options["price"].to_numpy(dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        promised = np.where(price > 0, worth / price, np.where(worth > 0, np.inf, worth))
    experience = np.log2(1 + options["signed"].fillna(0.0).to_numpy(dtype=np.float64)) / 2
    order = pd.DataFrame(
        {
            "row": pd.factorize(options["row"])[0],
            "promised": -np.where(np.isnan(promised), -np.inf, promised),
            "suits": -(options["serves"].to_numpy(dtype=np.float64) + experience),
            "price": price,
            "mode": options["mode"].to_numpy(dtype=object),
        }
    )
    best = order.sort_values(list(order.columns), kind="stable").drop_duplicates("row").index
    return np.isin(np.arange(len(options)), best)


def option_signals(
    found: Candidates, options: pd.DataFrame, history: History, pipeline: FeaturePipeline
) -> pd.DataFrame:
    """Return the signals of options, from those of their pairs; aligned to `options`."""
    same = found.signals.loc[options["row"]].set_axis(options.index)
    return pipeline.in_mode(same, options, history)


def tell_options(
    found: Candidates,
    history: History,
    pipeline: FeaturePipeline,
    forecaster: Forecaster,
    serving: ServingConfig,
    seed: int,
) -> pd.DataFrame:
    """Tell all there is to tell of the options of a shortlist.

    Parameters
    ----------
    found : Candidates
        Settled pairs.
    history, pipeline, forecaster
        As for `settle`.
    serving : ServingConfig
        How many futures to draw.
    seed : int
        Their seed.

    Returns
    -------
    DataFrame
        `serving.results.OPTIONS`: by pair, the recommended option first, then by name.
    """
    options = found.options if found.options is not None else _offered(found, history)
    place = pd.Series(np.arange(len(found.pairs)), index=found.pairs.index)
    options = options.assign(_place=place.reindex(options["row"]).to_numpy())
    options = options.sort_values(["_place", "recommended", "mode"], ascending=[True, False, True])
    options = options.drop(columns="_place").reset_index(drop=True)
    if options.empty:
        brings = pd.DataFrame(columns=list(RETURNS))
        band = pd.DataFrame(columns=["price_low", "price_high"])
    else:
        signals = option_signals(found, options, history, pipeline)
        brings = returns(forecaster, signals, options, draws=serving.draws, seed=seed)
        band = price_bands(options, options, history)
    goals = history.tables.briefs.set_index("brief_id")["goal"]
    why = explain_options(options, options["brief_id"].map(goals))
    shown = ["brief_id", "kol_id", "mode", "recommended", "price", "currency", *FORECASTS]
    rounded = options[list(VIEWS)].astype("float64").round()
    told = options[[*shown, "value", "signed"]].assign(**rounded)
    return pd.concat([told, band, brings, why], axis=1)


def _offered(found: Candidates, history: History) -> pd.DataFrame:
    """List the offers of each pair that its brief allows and can pay, in one currency."""
    listed = quotes(found.pairs, history)
    listed["row"] = found.pairs.index.to_numpy()[listed.pop("pair")]
    same = listed["currency"].to_numpy() == found.offers["currency"].loc[listed["row"]].to_numpy()
    kept: pd.DataFrame = listed[same & possible(listed, history.tables.briefs)]
    goals = history.tables.briefs.set_index("brief_id")["goal"]
    asked = zip(kept["brief_id"].map(goals), kept["mode"], strict=True)
    serves = [SERVES.get(goal, {}).get(mode, 0) for goal, mode in asked]
    return kept.assign(serves=serves).reset_index(drop=True)


def _parts(options: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Cut options, which stand by pair, into parts of whole pairs."""
    pair = pd.factorize(options["row"])[0]
    for _, part in options.groupby(pair // AT_ONCE, sort=False):
        yield part


def _with_forecasts(
    options: pd.DataFrame, signals: pd.DataFrame, forecaster: Forecaster
) -> pd.DataFrame:
    told = forecaster.outlook(signals, options["currency"])
    return pd.concat([options, told], axis=1).assign(signed=signals["record.mode_signed"])
