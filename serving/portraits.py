"""What a page shows of each KOL beside its figures: who they are, how they grew, what they post."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from features.contract import AUDIENCE
from features.tables import Tables
from serving.plain import CAPTION, NAME, amount, day, figure, mix, present, words

SPAN = pd.Timedelta(days=360)
"""How far back the lines of growth go."""
FOLLOWER_STEP, VIEW_STEP = pd.Timedelta(days=15), pd.Timedelta(days=30)
"""One point of a line stands for so long; of followers the last count, of views the median."""
POSTS_SHOWN = 3


class Portraits:
    """Profiles, growth and posts of some KOLs as they were known before a moment.

    Parameters
    ----------
    tables : Tables
        The data.
    kol_ids : iterable of str
        Who is wanted; of others nothing is told.
    as_of : Timestamp
        Only what was known strictly before this is used.
    """

    def __init__(self, tables: Tables, kol_ids: Iterable[str], as_of: pd.Timestamp) -> None:
        wanted = set(kol_ids)
        asked = tables.only("kols", "posts").replace(
            kols=tables.kols[tables.kols["kol_id"].isin(wanted)],
            posts=tables.posts[tables.posts["kol_id"].isin(wanted)],
        )
        told = asked.as_of(as_of)
        known = told.kols.sort_values("observed_at", kind="stable")
        posts = told.posts.sort_values("observed_at", kind="stable")
        posts = posts.drop_duplicates("post_id", keep="last")
        self._profiles = _records_by(known.drop_duplicates("kol_id", keep="last"), "kol_id")
        self._followers = _line(known, "observed_at", "followers", as_of, FOLLOWER_STEP, "last")
        self._views = _line(posts, "published_at", "views", as_of, VIEW_STEP, "median")
        self._posts = {post["post_id"]: post for post in posts.to_dict("records")}

    def of(self, kol_id: str) -> dict[str, Any]:
        """Return what is known of a KOL; empty where nothing is."""
        profile = next(iter(self._profiles.get(kol_id, ())), {})
        labels = {name: _labels(profile.get(name)) for name in ("verticals", "credentials")}
        return present(
            {
                "bio": words(profile.get("bio"), CAPTION),
                "region": words(profile.get("region"), NAME),
                "mcn": words(profile.get("mcn"), NAME),
                **labels,
                "active": figure(profile.get("active_follower_share"), 3),
                "suspicious": figure(profile.get("suspicious_follower_share"), 3),
                "audience": present({d: mix(profile.get(f"audience_{d}")) for d in AUDIENCE}),
                "growth": present(
                    {
                        "followers": self._followers.get(kol_id),
                        "views": self._views.get(kol_id),
                    }
                ),
            }
        )

    def posts(self, kol_id: str, evidence: object) -> list[dict[str, Any]]:
        """Return the KOL's posts that the evidence of a match names, in its order."""
        values = evidence.values() if isinstance(evidence, dict) else ()
        named = dict.fromkeys(value for value in values if isinstance(value, str))
        found = [self._posts[post_id] for post_id in named if post_id in self._posts]
        return [_post(post) for post in found if post["kol_id"] == kol_id][:POSTS_SHOWN]


def _post(row: Mapping[Any, Any]) -> dict[str, Any]:
    counts = ("views", "likes", "comments", "shares", "saves")
    sponsored = row["is_sponsored"]
    return present(
        {
            "id": words(row["post_id"], NAME),
            "text": words(row["text"], CAPTION) or _tags(row["tags"]),
            "at": day(row["published_at"]),
            **{name: amount(row[name]) for name in counts},
            "completion": figure(row["completion_rate"], 3),
            "sponsored": None if pd.isna(sponsored) else bool(sponsored),
        }
    )


def _tags(tags: tuple[str, ...]) -> str | None:
    return words(" ".join(f"#{tag}" for tag in tags), CAPTION)


def _labels(value: object) -> list[str]:
    found = [words(label, NAME) for label in value[:6]] if isinstance(value, tuple) else []
    return [label for label in found if label]


def _records_by(frame: pd.DataFrame, key: str) -> dict[Any, list[dict[Any, Any]]]:
    found: dict[Any, list[dict[Any, Any]]] = {}
    for record in frame.to_dict("records"):
        found.setdefault(record[key], []).append(record)
    return found


def _line(
    frame: pd.DataFrame, at: str, value: str, as_of: pd.Timestamp, step: pd.Timedelta, how: str
) -> dict[str, list[list[Any]]]:
    """Return points (day, number) by KOL, one a step back from a moment; a lone point is none."""
    recent = frame[(frame[at] >= as_of - SPAN) & (frame[at] < as_of) & frame[value].notna()]
    back = (as_of - recent[at]).dt.total_seconds() // step.total_seconds()
    cells = recent.assign(_back=back).sort_values(["kol_id", at], kind="stable")
    told = cells.groupby(["kol_id", "_back"])[value].agg(how).reset_index()
    told = told.sort_values(["kol_id", "_back"], ascending=[True, False])
    found: dict[str, list[list[Any]]] = {}
    for row in told.to_dict("records"):
        point = [day(as_of - row["_back"] * step), amount(round(row[value]))]
        found.setdefault(row["kol_id"], []).append(point)
    return {kol_id: points for kol_id, points in found.items() if len(points) > 1}
