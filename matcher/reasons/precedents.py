"""Past campaigns like a match's: the KOL's own, and those of KOLs like it, and how they went."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from features.history import History
from features.outcomes import earned_in, ripe_outcomes
from features.pipeline import FeaturePipeline
from features.ragged import ragged
from features.signals.affinity import TEXT, sides
from features.signals.content import brief_texts
from features.similarity import cosines
from features.timeline import Floats, Ints, expand, micros
from features.view import View
from matcher.reasons.figures import money, short, wan
from matcher.wording import Text

MOST = 3
"""Campaigns told of a match."""
CAMPAIGNS = ("signed", "delivered", "cancelled")
"""Statuses of what became a campaign: who only was asked, or declined, ran none."""
SIMILAR = 0.5
"""Cosine from which two briefs are alike, whatever their brand and vertical."""
ALIKE = 0.7
"""Cosine of recent posts, with what is added to it, from which two KOLs are alike."""
SAME_VERTICAL, SAME_PLATFORM = 0.15, 0.05
"""Added to that cosine where two KOLs name one vertical, and where they are on one platform."""
LOOKED_AT = 300
"""Campaigns for similar briefs among which look-alikes are sought, the most similar ones."""
COLUMNS = (
    *("brief_id", "kol_id", "rank", "collaboration_id", "with_kol_id", "with_name", "title"),
    *("brand_name", "similarity", "mode", "status", "at", "cost", "currency", "views"),
    *("engagements", "orders", "gmv"),
)
_OWN, _LIKE, _OTHER = range(3)
"""Own campaigns for similar briefs, those of look-alikes, and own campaigns of another kind."""
_NEAREST = ["same_brand", "same_vertical", "similarity", "at", "collaboration_id"]
"""What makes one past brief more like another, the weightiest first; then the latest."""


def precedents(
    pairs: pd.DataFrame, history: History, pipeline: FeaturePipeline, horizon_days: int
) -> pd.DataFrame:
    """Return past campaigns that tell how matches may go.

    A KOL's own campaigns for similar briefs come first: for the same brand, in the same vertical,
    or alike in text. Then come campaigns for such briefs with KOLs like it, whose results are
    known, the most alike first. Then come its other own ones.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS of the matches; only what was known strictly before each ``as_of`` is told.
    history : History
        The tables.
    pipeline : FeaturePipeline
        Where vectors come from.
    horizon_days : int
        Age at which an outcome is ripe (`features.outcomes.ripe_outcomes`); others are not told.

    Returns
    -------
    DataFrame
        `COLUMNS`: up to `MOST` rows a match, by match and rank. ``similarity`` is the cosine of
        the two briefs; sales are null where they are in another currency than the cost.
    """
    found = [
        _at_moment(asked.reset_index(drop=True), moment, history, pipeline, horizon_days)
        for moment, asked in pairs.groupby("as_of", sort=True)
    ]
    if not found:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(found, ignore_index=True)


def _at_moment(
    asked: pd.DataFrame,
    moment: Any,
    history: History,
    pipeline: FeaturePipeline,
    horizon_days: int,
) -> pd.DataFrame:
    past = campaigns(history, moment, horizon_days)
    links = _links(asked, past, history, pipeline)
    own = asked[["brief_id", "kol_id"]].assign(pair=np.arange(len(asked)))
    own = own.merge(past[["kol_id", "collaboration_id"]], on="kol_id")
    own = own.merge(links, on=["brief_id", "collaboration_id"])
    own["kind"] = np.where(own["similar"], _OWN, _OTHER)
    like = _lookalikes(asked, past, links, history, pipeline)
    every = pd.concat([own.assign(order=0.0), like], ignore_index=True)
    ascending = [True, True, True, False, False, False, False, True]
    every = every.sort_values(["pair", "kind", "order", *_NEAREST], ascending=ascending)
    every = every.groupby("pair", sort=False).head(MOST)
    told = past.drop(columns=["brief_id", "kol_id", "at"]).merge(
        every, on="collaboration_id", how="inner"
    )
    told = told.assign(rank=0).sort_values(
        ["pair", "kind", "order", *_NEAREST], ascending=ascending, ignore_index=True
    )
    told["rank"] = told.groupby("pair").cumcount() + 1
    ids = ["brief_id", "kol_id"]
    return told[list(COLUMNS)].astype(asked[ids].dtypes.to_dict())


def campaigns(history: History, moment: pd.Timestamp, horizon_days: int) -> pd.DataFrame:
    """Return what became of collaborations, as known strictly before a moment.

    Returns
    -------
    DataFrame
        One row a campaign: brief_id, kol_id, and the columns of `COLUMNS` that are its own;
        has_outcome says whether a ripe one was known.
    """
    known = history.tables.only("briefs", "collaborations", "outcomes").as_of(moment)
    frame = known.collaborations[known.collaborations["status"].isin(CAMPAIGNS)]
    at = frame["published_at"].fillna(frame["signed_at"]).fillna(frame["shown_at"])
    columns = ["collaboration_id", "brief_id", "kol_id", "mode", "status", "cost", "currency"]
    told = frame[columns].assign(at=at)

    counts = ["views", "engagements", "orders", "gmv"]
    ripe = ripe_outcomes(known.outcomes, horizon_days)
    ripe = ripe[["collaboration_id", *counts, "currency"]].rename(columns={"currency": "earned"})
    told = told.merge(ripe.assign(has_outcome=True), on="collaboration_id", how="left")
    told["has_outcome"] = told["has_outcome"].eq(True)
    earned = earned_in(told.pop("earned"), told["brief_id"], known.briefs)
    # One currency a row: that of the cost, or of the sales where no cost is told.
    told["currency"] = told["currency"].where(told["cost"].notna(), earned)
    told["gmv"] = told["gmv"].where(earned == told["currency"])

    told = told.merge(known.briefs[["brief_id", "title", "brand_name"]], on="brief_id", how="left")
    code = history.kol_codes(told["kol_id"])
    when = np.full(len(told), micros(pd.Series([moment]))[0])
    name = history.kols.latest(code, when, ["display_name"])["display_name"]
    told = told.assign(with_kol_id=told["kol_id"], with_name=name.to_numpy())
    return told.sort_values("collaboration_id", ignore_index=True)


def _links(
    asked: pd.DataFrame, past: pd.DataFrame, history: History, pipeline: FeaturePipeline
) -> pd.DataFrame:
    """Compare each brief asked for with that of every campaign, itself left out.

    Returns
    -------
    DataFrame
        brief_id, collaboration_id, similarity, same_brand, same_vertical, similar, at.
    """
    briefs = asked["brief_id"].drop_duplicates()
    ids = pd.Index(pd.concat([briefs, past["brief_id"]]).unique())
    view = View(
        pd.DataFrame(
            {
                "brief_id": ids,
                "kol_id": history.kol_ids[0],
                "as_of": asked["as_of"].iloc[0],
            }
        ),
        history,
    )
    texts, place = brief_texts(view)
    vectors = pipeline.embeddings.of(texts, role="query")
    to = np.tile(place[ids.get_indexer(past["brief_id"])], (len(briefs), 1))
    near = cosines(vectors, vectors, place[ids.get_indexer(briefs)], to)
    links = pd.DataFrame(
        {
            "brief_id": np.repeat(briefs.to_numpy(), len(past)),
            "past_brief": np.tile(past["brief_id"].to_numpy(), len(briefs)),
            "collaboration_id": np.tile(past["collaboration_id"].to_numpy(), len(briefs)),
            "at": pd.concat([past["at"]] * len(briefs), ignore_index=True),
            "similarity": near.ravel(),
        }
    )
    told = history.briefs.set_index("brief_id")
    for name, column in (("same_brand", "brand_id"), ("same_vertical", "vertical")):
        own, other = (links[side].map(told[column]) for side in ("brief_id", "past_brief"))
        links[name] = own.notna() & (own == other).fillna(False).astype(bool)
    alike = links["same_brand"] | links["same_vertical"] | (links["similarity"] >= SIMILAR)
    links["similar"] = alike
    return links[links["brief_id"] != links["past_brief"]].drop(columns="past_brief")


def _lookalikes(
    asked: pd.DataFrame,
    past: pd.DataFrame,
    links: pd.DataFrame,
    history: History,
    pipeline: FeaturePipeline,
) -> pd.DataFrame:
    """Return campaigns for similar briefs with KOLs like each match's, one of each KOL."""
    told = past.loc[past["has_outcome"], ["collaboration_id", "kol_id"]]
    near = links[links["similar"]].merge(told, on="collaboration_id")
    near = near.sort_values(
        ["brief_id", *_NEAREST], ascending=[True, False, False, False, False, True]
    )
    near = near.groupby("brief_id", sort=False).head(LOOKED_AT)
    # The nearest campaign of each KOL speaks for it.
    near = near.drop_duplicates(["brief_id", "kol_id"])
    kols = pd.Index(pd.concat([asked["kol_id"], near["kol_id"]]).unique())
    view = View(
        pd.DataFrame(
            {
                "brief_id": asked["brief_id"].iloc[0],
                "kol_id": kols,
                "as_of": asked["as_of"].iloc[0],
            }
        ),
        history,
        pipeline.config.recent_posts,
    )
    found = sides(view, pipeline.embeddings, pipeline.config, TEXT)
    closer = _closer(view)
    kept = []
    groups = dict(list(near.groupby("brief_id", sort=False)))
    for brief_id, mine in asked.groupby("brief_id", sort=False):
        others = groups.get(brief_id)
        if others is None:
            continue
        left, right = (kols.get_indexer(frame["kol_id"]) for frame in (mine, others))
        to = np.tile(found.to[right], (len(left), 1))
        alike = cosines(found.kols, found.kols, found.to[left], to) + closer(left, right)
        alike[left[:, None] == right[None, :]] = np.nan
        order = np.where(alike >= ALIKE, -alike, np.inf)
        best = np.argsort(order, axis=1, kind="stable")[:, :MOST]
        value = np.take_along_axis(order, best, axis=1)
        row, slot = np.nonzero(np.isfinite(value))
        kept.append(
            others.drop(columns="kol_id")
            .iloc[best[row, slot]]
            .assign(
                pair=mine.index.to_numpy()[row],
                kol_id=mine["kol_id"].to_numpy()[row],
                kind=_LIKE,
                order=value[row, slot],
            )
        )
    nobody = near.head(0).assign(pair=0, kind=_LIKE, order=0.0)
    return pd.concat(kept, ignore_index=True) if kept else nobody


def _closer(view: View) -> Callable[[Ints, Ints], Floats]:
    """Return a function that gives what two KOLs have in common beside their posts."""
    platform, profile = view.cells.platform[view.cell], view.cells.profile[view.cell]
    lists = ragged(view.history.kols.frame["verticals"])
    start = np.where(profile < 0, 0, lists.start[profile])
    entries, owner = expand(start, np.where(profile < 0, 0, lists.start[profile + 1]))
    verticals, codes = np.unique(lists.code[entries], return_inverse=True)
    names = np.zeros((len(view), len(verticals)))
    names[owner, codes] = 1.0

    def closer(left: Ints, right: Ints) -> Floats:
        shared = names[left] @ names[right].T > 0
        same = platform[left][:, None] == platform[right][None, :]
        return np.asarray(SAME_VERTICAL * shared + SAME_PLATFORM * same)

    return closer


_STATUS = {
    "signed": Text("已签约，尚未发布", "signed, not yet published"),
    "delivered": Text("已履约", "delivered"),
    "cancelled": Text("已取消", "cancelled"),
}


def in_words(precedent: Mapping[Any, Any]) -> Text:
    """Say how a past campaign went: when, for whom, what it cost and what it brought.

    Parameters
    ----------
    precedent : mapping
        A row of `COLUMNS`.
    """
    at = pd.Timestamp(precedent["at"])
    status = _STATUS[precedent["status"]]
    zh, en = [status.zh], [status.en]
    currency = precedent["currency"]
    cost, gmv = precedent["cost"], precedent["gmv"]
    if pd.notna(cost) and pd.notna(currency):
        told = money(float(cost), str(currency))
        zh.append(f"费用 {told[1]}")
        en.append(f"cost {told[0]}")
    for name, label in _COUNTS.items():
        if pd.notna(precedent[name]):
            zh.append(f"{label.zh} {wan(float(precedent[name]))}")
            count = short(float(precedent[name]))
            en.append(f"{count} {label.en if count != '1' else label.en.removesuffix('s')}")
    if pd.notna(gmv) and pd.notna(currency):
        told = money(float(gmv), str(currency))
        zh.append(f"销售额 {told[1]}")
        en.append(f"sales {told[0]}")
    if pd.isna(precedent["views"]) and precedent["status"] == "delivered":
        zh.append("效果数据未知")
        en.append("results unknown")
    return Text(
        f"{at.year} 年 {at.month} 月：{'，'.join(zh)}",
        f"{at.month_name()} {at.year}: {', '.join(en)}",
    )


_COUNTS = {
    "views": Text("播放", "views"),
    "engagements": Text("互动", "engagements"),
    "orders": Text("订单", "orders"),
}
