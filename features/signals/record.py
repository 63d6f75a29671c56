"""What past collaborations of the KOL brought."""

from __future__ import annotations

import numpy as np

from features.config import FeatureConfig
from features.history import codes_in
from features.offers import choose_offers, quoted_modes
from features.roster import Cells
from features.signals.family import Signals
from features.statistics import ratio, where
from features.timeline import Floats, Ints, expand
from features.vectors import Embeddings
from features.view import View

RECORD = {
    "delivered": "collaborations the KOL delivered",
    "declined_rate": "declined over declined and signed, shrunk towards one half",
    "cancelled_rate": "cancelled over cancelled and delivered, shrunk towards one tenth",
    "measured": "collaborations with a known outcome",
    "views_per_cost": "mean log of views per unit of cost, in the brief's currency",
    "engagements_per_cost": "mean log of engagements per unit of cost, in the brief's currency",
    "conversion": "orders over clicks, shrunk towards 1 %",
    "clicks_per_view": "clicks over views, shrunk towards 1 %",
    "refunded": "mean share of sales that was refunded",
    "brand_signed": "collaborations signed with the brief's brand",
    "brand_views_per_cost": "views_per_cost with the brief's brand",
    "vertical_signed": "collaborations signed in the brief's vertical",
    "vertical_views_per_cost": "views_per_cost in the brief's vertical",
    "mode_signed": "collaborations signed in the offer's mode",
    "brand_experience": "collaborations the brand signed with anybody",
    "grade": "mean judgment, 0-4, of the KOL for other briefs in the vertical",
    "grades": "how many judgments that is",
}
MANNERS = (
    *("delivered", "declined_rate", "cancelled_rate", "measured"),
    *("conversion", "clicks_per_view", "refunded"),
)
"""Those that neither the brief nor the mode changes."""
PRIOR_RATE, PRIOR_CLICKS, PRIOR_VIEWS = 0.01, 200.0, 2000.0
"""What is assumed before the first click or view: customary rates, at fixed little weight."""


def record(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Sum up what was known of past collaborations.

    Rates are shrunk by constants and not by the data's own means, so that a KOL's figures do not
    move when others' do. Ratios to cost are kept apart by currency. Counts are null as long as
    nothing was known of anybody.
    """
    known = {
        table: view.history.told(table, view.time)
        for table in ("collaborations", "outcomes", "judgments")
    }
    found = {
        "collaborations": {
            **{name: v[view.cell] for name, v in view.cells.once(_manners).items()},
            **_ties(view),
        },
        "outcomes": _results(view),
        "judgments": _grades(view),
    }
    return {
        name: where(known[table], values)
        for table, signals in found.items()
        for name, values in signals.items()
    }


def _manners(cells: Cells) -> Signals:
    history = cells.history
    window = history.statuses.before(cells.kol, cells.time)
    delivered, declined, cancelled = (
        history.statuses.total(name, *window) for name in ("delivered", "declined", "cancelled")
    )
    signings = history.counted("signings", "kol")
    signed = signings.total("signed", *signings.before(cells.kol, cells.time))
    return {
        "delivered": delivered,
        "declined_rate": (declined + 1.0) / (declined + signed + 2.0),
        "cancelled_rate": (cancelled + 0.5) / (cancelled + delivered + 5.0),
    }


def _results(view: View) -> dict[str, Floats]:
    return {
        **{name: values[view.cell] for name, values in view.cells.once(_rates).items()},
        "views_per_cost": _value(view, "views"),
        "engagements_per_cost": _value(view, "engagements"),
    }


def _rates(cells: Cells) -> Signals:
    line = cells.history.counted("outcomes", "kol")
    window = line.before(cells.kol, cells.time)
    total = {
        name: line.total(name, *window)
        for name in (
            *("measured", "orders", "clicks"),
            *("view_clicks", "clicked_views", "refunded", "refunded_count"),
        )
    }
    return {
        "measured": total["measured"],
        "conversion": _shrunk(total["orders"], total["clicks"], PRIOR_CLICKS),
        "clicks_per_view": _shrunk(total["view_clicks"], total["clicked_views"], PRIOR_VIEWS),
        "refunded": ratio(total["refunded"], total["refunded_count"]),
    }


def _shrunk(events: Floats, exposure: Floats, weight: float) -> Floats:
    """Return a rate pulled towards the prior one; null where nothing was exposed."""
    rate = (events + PRIOR_RATE * weight) / (exposure + weight)
    return where(exposure > 0, rate)


def _ties(view: View) -> dict[str, Floats]:
    history = view.history
    brand, vertical = history.brief_brand[view.brief], history.brief_vertical[view.brief]
    mode = quoted_modes(history, view.once(choose_offers).row)
    return {
        "brand_signed": _signed(view, kol=view.kol, brand=brand),
        "brand_views_per_cost": _value(view, "views", brand=brand),
        "vertical_signed": _signed(view, kol=view.kol, vertical=vertical),
        "vertical_views_per_cost": _value(view, "views", vertical=vertical),
        "mode_signed": _signed(view, kol=view.kol, mode=mode),
        "brand_experience": _signed(view, brand=brand),
    }


def _signed(view: View, **sides: Ints) -> Floats:
    """Count signed collaborations of the given sides; null where the brief names no such side."""
    line, code = view.history.counted("signings", *sides), view.history.joint(**sides)
    return where(code >= 0, line.total("signed", *line.before(code, view.time)))


def _value(view: View, what: str, **sides: Ints) -> Floats:
    """Return the mean log value per unit of cost, of the KOL and the given sides."""
    sides = {
        "kol": view.kol,
        **sides,
        "currency": view.history.brief_currency[view.brief],
    }
    line = view.history.counted("outcomes", *sides)
    window = line.before(view.history.joint(**sides), view.time)
    return ratio(line.total(f"{what}_value", *window), line.total(f"{what}_value_count", *window))


def _grades(view: View) -> dict[str, Floats]:
    """Average judgments of the KOL in the vertical; those for the brief itself are its label."""
    history = view.history
    line = history.judgments
    code = history.joint(kol=view.kol, vertical=history.brief_vertical[view.brief])
    rows, owner = expand(*line.before(code, view.time))
    other = codes_in(history.brief_ids, line.frame["brief_id"])[rows] != view.brief[owner]
    rows, owner = rows[other], owner[other]
    grades = line.frame["grade"].to_numpy(dtype=np.float64)[rows]
    # Adds in the order of the rows, pair by pair.
    total = np.bincount(owner, weights=grades, minlength=len(view))
    count = np.bincount(owner, minlength=len(view)).astype(np.float64)
    return {"grade": ratio(total, count), "grades": count}
