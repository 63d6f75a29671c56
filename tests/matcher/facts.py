"""Facts of matches, for tests of what is said of them."""

import math
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from matcher.comparisons import COMPARED
from matcher.figures import ABOVE, BELOW, Facts, Post

TYPICAL = {
    "content.best": 0.41,
    "content.top3": 0.38,
    "content.bio": 0.3,
    "affinity.posts_recent": 0.5,
    "vectors.mean_cosine": 0.6,
    "audience.match": 0.72,
    "audience.target_share": 0.66,
    "category.vertical_posts": 0.4,
    "price.per_view": math.log(180.0),
    "price.per_engagement": math.log(3.2),
    "price.against_peers": math.log(0.7),
    "price.log": math.log(5400.0),
    "price.low": 4000.0,
    "price.high": 9000.0,
    "price.quote_age": 12.0,
    "reach.median_views": math.log1p(124_000),
    "reach.percentile": 0.83,
    "reach.peers": 40.0,
    "reach.posts_seen": 28.0,
    "reach.days": 45.2,
    "reach.suspicious_share": 0.03,
    "engagement.rate": 0.055,
    "engagement.likes": 0.05,
    "engagement.comments": 0.004,
    "engagement.saves": 0.007,
    "engagement.shares": math.nan,
    "engagement.completion": 0.35,
    "engagement.percentile": 0.91,
    "growth.followers_90": 0.04,
    "growth.views": 0.2,
    "growth.days": 92.0,
    "growth.observed_days": 400.0,
    "growth.profile_age": 3.0,
    "sponsored.views": math.log(0.92),
    "sponsored.posts": 5.0,
    "sponsored.share": 0.2,
    "record.delivered": 3.0,
    "record.cancelled_rate": 0.5 / 8,
    "record.measured": 3.0,
    "record.brand_signed": 1.0,
    "record.vertical_signed": 2.0,
    "record.views_per_cost": math.log(25.0),
    "record.conversion": 0.021,
    "reputation.incidents": 0.0,
    "reputation.open": 0.0,
    "reputation.worst_open": 0.0,
    "reputation.burden": 0.0,
    "reputation.days_since": math.nan,
    "rivalry.recent": 0.0,
    "rivalry.blocked_posts": 0.0,
    "style.posts_90": 14.0,
    "style.posts_seen": 30.0,
    "style.days_since_post": 2.0,
    "style.median_gap_days": 3.0,
} | {name + side: share for name in COMPARED for side, share in ((ABOVE, 0.78), (BELOW, 0.2))}
"""A match about which all is known, and good."""
POSTS = (
    Post("p7", "三周后不再泛红", 0.41, published="2026-05-01"),
    Post("p2", "面霜空瓶记", 0.36, sponsored=True),
    Post("p3", "面霜空瓶记", 0.3),
)


def facts(changes: Mapping[str, float] | None = None, **others: Any) -> Facts:
    told: dict[str, Any] = {
        "vertical": "film_tv",
        "vertical_zh": "影视",
        "currency": "CNY",
        "posts": POSTS,
    }
    return Facts(TYPICAL | dict(changes or {}), **told | others)


def drawn_facts() -> st.SearchStrategy[Facts]:
    """Return facts of which some figures are wild, and many may be unknown."""
    values = st.floats(-1e300, 1e300) | st.floats(0, 1) | st.just(math.nan) | st.just(0.0)
    changes = st.dictionaries(st.sampled_from(sorted(TYPICAL)), values, max_size=12)
    return st.builds(
        lambda base, changes, posts, currency: facts(
            base | changes, posts=posts, currency=currency
        ),
        st.sampled_from([TYPICAL, dict.fromkeys(TYPICAL, math.nan)]),
        changes,
        st.sampled_from([(), POSTS, POSTS[1:]]),
        st.sampled_from(["", "CNY", "USD"]),
    )
