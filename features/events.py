"""Facts that become known bit by bit, as rows with a time each.

A collaboration is shown, then signed, then it ends one way or another, then it is measured after
one, seven and thirty days. Each of these is an event with its own known-time, built so that the
events before a time are the same whether the tables were cut there or not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from features.tables import Tables, status_known_at

_ENDINGS = ("declined", "delivered", "cancelled")


def status_events(tables: Tables) -> pd.DataFrame:
    """Return how collaborations ended: one 0/1 column each for declined, delivered, cancelled.

    "Shown" and "signed" are left out: before its status is told, a row says the like.
    """
    frame = tables.collaborations
    ended = frame["status"].isin(_ENDINGS)
    frame = frame.assign(known_at=status_known_at(frame))[ended]
    flags = {ending: (frame["status"] == ending).astype("float64") for ending in _ENDINGS}
    return frame[["collaboration_id", "kol_id", "known_at"]].assign(**flags)


def signing_events(tables: Tables) -> pd.DataFrame:
    """Return signed collaborations, known on signing."""
    frame = _with_briefs(tables)
    frame = frame[frame["signed_at"].notna()]
    return frame[["collaboration_id", "brief_id", "kol_id", "brand_id", "vertical", "mode"]].assign(
        known_at=frame["signed_at"], signed=1.0
    )


def delivery_events(tables: Tables, late_days: float) -> pd.DataFrame:
    """Return delivered collaborations with how long they took, known once they are told delivered.

    Parameters
    ----------
    tables : Tables
        The tables.
    late_days : float
        Days from signing after which a delivery is late, whatever the brief's dates.

    Returns
    -------
    pandas.DataFrame
        ``collaboration_id``, ``brief_id``, ``kol_id``, ``signed_at``, ``published_at``,
        ``ends_at``, ``known_at``; ``late``: 1 if it was published after the brief's last day or
        too long after signing, 0 if not, null where neither can be told.
    """
    frame = tables.collaborations.assign(known_at=status_known_at(tables.collaborations))
    frame = frame[(frame["status"] == "delivered") & frame["published_at"].notna()]
    frame = frame.merge(tables.briefs[["brief_id", "ends_at"]], on="brief_id", how="left")
    frame["known_at"] = frame[["known_at", "published_at", "signed_at"]].max(axis=1)
    days = (frame["published_at"] - frame["signed_at"]).dt.total_seconds() / 86_400
    late = (frame["published_at"] > frame["ends_at"]) | (days > late_days)
    told = frame["ends_at"].notna() | days.notna()
    kept = ["collaboration_id", "brief_id", "kol_id", "signed_at", "published_at", "ends_at"]
    return frame[[*kept, "known_at"]].assign(late=late.astype("float64").where(told))


def outcome_events(tables: Tables) -> pd.DataFrame:
    """Return the steps by which each collaboration's best known outcome changed.

    The best outcome known is that of the longest horizon. Each row holds the change of one
    collaboration's figures when a longer horizon was measured, so that a running sum over a KOL's
    rows is the sum over its collaborations of what was best known at that point.

    Returns
    -------
    pandas.DataFrame
        Columns of the collaboration; ``known_at``; ``measured`` (1 for a collaboration's first
        row); changes of ``orders`` and ``clicks`` where both are known, of ``view_clicks`` and
        ``clicked_views`` where both are known; and for each ratio its sum and its count:
        ``views_value`` (log of views per unit of cost), ``engagements_value`` (log of engagements
        per unit of cost), ``refunded`` (share of sales). Cost counts only where signing was known
        by then.
    """
    frame = tables.outcomes.drop(columns="currency").merge(
        _with_briefs(tables), on="collaboration_id", how="inner"
    )
    known = frame[["measured_at", "shown_at"]].max(axis=1)
    frame = frame.assign(known_at=known).sort_values(
        ["collaboration_id", "known_at", "horizon_days"], ignore_index=True
    )
    best = frame.groupby("collaboration_id")["horizon_days"].cummax()
    before = best.groupby(frame["collaboration_id"]).shift(fill_value=0.0)
    frame = frame[frame["horizon_days"] > before].reset_index(drop=True)
    figures = _figures(frame)
    # What a row adds is its figures less those of the row it replaces.
    earlier = figures.groupby(frame["collaboration_id"]).shift(fill_value=0.0)
    kept = ["collaboration_id", "brief_id", "kol_id", "brand_id", "vertical", "mode", "currency"]
    return pd.concat([frame[[*kept, "known_at"]], figures - earlier], axis=1)


def _figures(frame: pd.DataFrame) -> pd.DataFrame:
    signed = frame["signed_at"] <= frame["known_at"]
    cost = frame["cost"].where(signed & (frame["cost"] > 0))
    clicks = frame["clicks"].where(frame["orders"].notna())
    ratios: dict[str, pd.Series[Any]] = {
        "views_value": _log((frame["views"] + 1.0) / cost),
        "engagements_value": _log((frame["engagements"] + 1.0) / cost),
        "refunded": frame["refunded_gmv"] / frame["gmv"].where(frame["gmv"] > 0),
    }
    figures: dict[str, pd.Series[Any]] = {
        "measured": pd.Series(1.0, index=frame.index),
        "clicks": clicks.fillna(0.0),
        "orders": frame["orders"].where(clicks.notna()).fillna(0.0),
        "clicked_views": frame["views"].where(frame["clicks"].notna()).fillna(0.0),
        "view_clicks": frame["clicks"].where(frame["views"].notna()).fillna(0.0),
    }
    for name, ratio in ratios.items():
        figures[name] = ratio.fillna(0.0)
        figures[f"{name}_count"] = ratio.notna().astype("float64")
    return pd.DataFrame(figures)


def _log(values: pd.Series[Any]) -> pd.Series[Any]:
    return pd.Series(np.log(values.to_numpy(dtype=np.float64)), index=values.index)


def judgment_events(tables: Tables) -> pd.DataFrame:
    """Return grades with the vertical of the brief they were given for."""
    return tables.judgments.merge(tables.briefs[["brief_id", "vertical"]], on="brief_id")


def brand_events(tables: Tables) -> pd.DataFrame:
    """Return paid work for brands: posts that name a brand, and signed collaborations.

    Returns
    -------
    pandas.DataFrame
        ``kind`` (post or collaboration), ``event_id``, ``kol_id``, ``brand_id``, ``known_at``,
        and ``worked_at``: when the post was published or the collaboration signed. A post
        observed several times is there once, as first observed with that brand.
    """
    told = ["post_id", "kol_id", "brand_id", "observed_at", "published_at"]
    posts = tables.posts[told][tables.posts["brand_id"].notna()]
    posts = posts.sort_values(["observed_at", "post_id", "kol_id"]).drop_duplicates(
        ["post_id", "kol_id", "brand_id"]
    )
    signed = signing_events(tables)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "kind": "post",
                    "event_id": posts["post_id"],
                    "kol_id": posts["kol_id"],
                    "brand_id": posts["brand_id"],
                    "known_at": posts["observed_at"],
                    "worked_at": posts["published_at"],
                }
            ),
            pd.DataFrame(
                {
                    "kind": "collaboration",
                    "event_id": signed["collaboration_id"],
                    "kol_id": signed["kol_id"],
                    "brand_id": signed["brand_id"],
                    "known_at": signed["known_at"],
                    "worked_at": signed["known_at"],
                }
            ),
        ],
        ignore_index=True,
    )


def _with_briefs(tables: Tables) -> pd.DataFrame:
    briefs = tables.briefs[["brief_id", "brand_id", "vertical"]]
    return tables.collaborations.merge(briefs, on="brief_id", how="left")
