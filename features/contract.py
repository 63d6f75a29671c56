"""The data contract: ten tables, their columns, and what makes a row right.

Every fact about a column (its name, kind, range, whether it must be there) has its one home here.
Files are read (`features.ingest`), checked (`features.columns.TableSpec`), stored
(`features.lake`) and simulated (`features.simulate`) from these declarations.
"""

from __future__ import annotations

from features.columns import EPOCH, Column, StandIn, TableSpec

PLATFORMS = (
    "douyin",
    "kuaishou",
    "xiaohongshu",
    "bilibili",
    "weibo",
    "wechat_channels",
    "wechat_mp",
    "tiktok",
    "instagram",
    "youtube",
)
MODES = (
    "ad_placement",
    "sponsorship",
    "co_creation",
    "live_commerce",
    "q_and_a",
    "social_interaction",
    "offline_event",
    "product_co_design",
    "joint_development",
)
GOALS = ("awareness", "seeding", "engagement", "conversion", "co_creation")
STATUSES = ("shown", "contacted", "declined", "signed", "delivered", "cancelled")
AUDIENCE = ("gender", "age", "region", "city_tier", "interest")
"""Dimensions by which an audience is described, each a column ``audience_<dimension>``."""

RESERVED_SPACES = ("max", "mean", "posts")
"""What a user's space of vectors may not be called: ``vectors.mean_cosine`` and ``max_cosine`` are
over all spaces, and ``posts`` is the space of texts (`features.signals`)."""


def _audience(of: str) -> tuple[Column, ...]:
    return tuple(
        Column(f"audience_{dimension}", "mix", doc=f"{of} by {dimension.replace('_', ' ')}")
        for dimension in AUDIENCE
    )


_TIMELESS = StandIn(EPOCH, doc="rows count as known at any time", timeless=True)
_CURRENCY = Column("currency", "text", doc="ISO 4217 code of every amount in the row")

BRIEFS = TableSpec(
    "briefs",
    key=("brief_id",),
    known_at=None,
    required=True,
    order=(("starts_at", "ends_at"),),
    columns=(
        Column("brief_id", "id", required=True),
        Column(
            "brand_id",
            "id",
            required=True,
            stand_in=StandIn(
                columns=("brand_name", "brief_id"),
                doc="the brand's name stands for it, and without one each brief is a brand's own",
            ),
        ),
        Column("brand_name", "text"),
        Column("title", "text"),
        Column("text", "text", required=True, doc="what the brand wants, in its own words"),
        Column("language", "text", doc="language of the text, such as zh or en"),
        Column(
            "goal",
            "choice",
            choices=GOALS,
            doc="what outcomes are graded by; without it only judgments teach",
        ),
        Column("vertical", "text", doc="product category, such as beauty"),
        Column("platforms", "labels", choices=PLATFORMS, doc="empty allows any"),
        Column("modes", "labels", choices=MODES, doc="empty allows any"),
        Column("budget", "money"),
        _CURRENCY,
        Column("max_price_per_kol", "money"),
        Column("kols_wanted", "count"),
        *_audience("target audience"),
        Column("min_followers", "count"),
        Column("min_audience_match", "share", doc="least overlap of audience and target"),
        Column("product_price", "money"),
        Column("gross_margin", "share"),
        Column("excluded_kols", "labels"),
        Column("competitor_brands", "labels", doc="brand ids whose partners are refused"),
        Column("blocked_terms", "labels"),
        Column("max_risk", "share"),
        Column("starts_at", "time"),
        Column("ends_at", "time", doc="last day of the campaign", closes=True),
        Column("decided_at", "time", doc="when the choice was made; empty while open or unknown"),
    ),
)

KOLS = TableSpec(
    "kols",
    key=("kol_id", "observed_at"),
    known_at="observed_at",
    required=True,
    columns=(
        Column("kol_id", "id", required=True),
        Column("observed_at", "time", required=True, stand_in=_TIMELESS),
        Column("person_id", "id", doc="one human over several accounts"),
        Column(
            "platform",
            "choice",
            choices=PLATFORMS,
            doc="a KOL without one serves only briefs that allow any",
        ),
        Column("display_name", "text"),
        Column("bio", "text"),
        Column("language", "text"),
        Column("region", "text"),
        Column("verticals", "labels"),
        Column("credentials", "labels"),
        Column("followers", "count"),
        Column("active_follower_share", "share"),
        Column("suspicious_follower_share", "share"),
        *_audience("audience"),
        Column("mcn", "text"),
    ),
)

POSTS = TableSpec(
    "posts",
    key=("post_id", "observed_at"),
    known_at="observed_at",
    order=(("published_at", "observed_at"),),
    columns=(
        Column("post_id", "id", required=True),
        Column(
            "observed_at",
            "time",
            required=True,
            stand_in=StandIn(
                columns=("published_at",), doc="posts count as known once published", timeless=True
            ),
        ),
        Column("kol_id", "id", required=True),
        Column("published_at", "time", required=True, stand_in=_TIMELESS),
        Column("text", "text"),
        Column("tags", "labels"),
        Column("format", "text"),
        Column("duration_s", "count"),
        Column("views", "count"),
        Column("likes", "count"),
        Column("comments", "count"),
        Column("shares", "count"),
        Column("saves", "count"),
        Column("completion_rate", "share"),
        Column("is_sponsored", "flag"),
        Column("brand_id", "id", doc="brand that paid for a sponsored post"),
    ),
)

RATES = TableSpec(
    "rates",
    key=("kol_id", "mode", "quoted_at"),
    known_at="quoted_at",
    order=(("quoted_at", "valid_until"), ("available_from", "available_to")),
    columns=(
        Column("kol_id", "id", required=True),
        Column("mode", "choice", required=True, choices=MODES),
        Column("quoted_at", "time", required=True),
        Column("price", "money", required=True),
        Column("currency", "text", required=True, doc=_CURRENCY.doc),
        Column("valid_until", "time", doc="last day of the quote", closes=True),
        Column("available_from", "time"),
        Column("available_to", "time", doc="last day", closes=True),
    ),
)

COLLABORATIONS = TableSpec(
    "collaborations",
    key=("collaboration_id",),
    known_at="shown_at",
    order=(("shown_at", "signed_at"), ("signed_at", "published_at"), ("shown_at", "status_at")),
    columns=(
        Column("collaboration_id", "id", required=True),
        Column("brief_id", "id", required=True),
        Column("kol_id", "id", required=True),
        Column("mode", "choice", choices=MODES),
        Column("status", "choice", required=True, choices=STATUSES),
        Column("status_at", "time", doc="when the status became known"),
        Column("shown_at", "time", required=True),
        Column("position", "count", doc="1 is the first in the list that was shown"),
        Column("propensity", "share", doc="chance of being contacted, given the list"),
        Column("signed_at", "time"),
        Column("published_at", "time"),
        Column("cost", "money"),
        _CURRENCY,
    ),
)

OUTCOMES = TableSpec(
    "outcomes",
    key=("collaboration_id", "horizon_days"),
    known_at="measured_at",
    columns=(
        Column("collaboration_id", "id", required=True),
        Column("horizon_days", "count", required=True, low=1),
        Column("measured_at", "time", required=True),
        Column("views", "count"),
        Column("engagements", "count", doc="likes + comments + shares + saves"),
        Column("shares", "count"),
        Column("saves", "count"),
        Column("clicks", "count"),
        Column("orders", "count"),
        Column("gmv", "money"),
        Column("refunded_gmv", "money"),
        _CURRENCY,
    ),
)

JUDGMENTS = TableSpec(
    "judgments",
    key=("brief_id", "kol_id", "judge"),
    known_at="judged_at",
    columns=(
        Column("brief_id", "id", required=True),
        Column("kol_id", "id", required=True),
        Column(
            "judge",
            "id",
            required=True,
            stand_in=StandIn("one", doc="all grades are one judge's"),
        ),
        Column("grade", "number", required=True, low=0, high=4, doc="4 fits best"),
        Column("judged_at", "time", doc="a grade without it teaches in folds by brand only"),
    ),
)

INCIDENTS = TableSpec(
    "incidents",
    key=("incident_id",),
    known_at="known_at",
    order=(("occurred_at", "known_at"), ("occurred_at", "resolved_at")),
    columns=(
        Column("incident_id", "id", required=True),
        Column("kol_id", "id", required=True),
        Column("occurred_at", "time"),
        Column("known_at", "time", required=True),
        Column("kind", "text", required=True),
        Column("severity", "share", required=True),
        Column("evidence", "text"),
        Column("resolved_at", "time"),
    ),
)

VECTORS = TableSpec(
    "vectors",
    key=("owner", "id", "space", "observed_at"),
    known_at="observed_at",
    columns=(
        Column("owner", "choice", required=True, choices=("brief", "kol")),
        Column("id", "id", required=True),
        Column("space", "id", required=True, reserved=RESERVED_SPACES),
        Column("observed_at", "time", required=True, doc="1970-01-01 when timeless"),
        Column("vector", "vector", required=True),
    ),
)

EXCHANGE_RATES = TableSpec(
    "exchange_rates",
    key=("currency", "to_currency", "quoted_at"),
    known_at="quoted_at",
    columns=(
        Column("currency", "text", required=True, doc="ISO 4217 code of what is exchanged"),
        Column("to_currency", "text", required=True, doc="ISO 4217 code of what it is worth"),
        Column("quoted_at", "time", required=True),
        Column(
            "rate",
            "number",
            required=True,
            above=0,
            doc="how many units of to_currency one unit of currency is",
        ),
    ),
)

SPECS: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        BRIEFS,
        KOLS,
        POSTS,
        RATES,
        COLLABORATIONS,
        OUTCOMES,
        JUDGMENTS,
        INCIDENTS,
        VECTORS,
        EXCHANGE_RATES,
    )
}
ADDED = ("exchange_rates",)
"""Tables that were added to the contract after the first lakes were made, which may lack them."""

LINKS = (
    ("collaborations", "brief_id", "briefs", "brief_id"),
    ("collaborations", "kol_id", "kols", "kol_id"),
    ("outcomes", "collaboration_id", "collaborations", "collaboration_id"),
    ("judgments", "brief_id", "briefs", "brief_id"),
    ("judgments", "kol_id", "kols", "kol_id"),
    ("posts", "kol_id", "kols", "kol_id"),
    ("rates", "kol_id", "kols", "kol_id"),
    ("incidents", "kol_id", "kols", "kol_id"),
)
"""References that must lead somewhere: (table, column, table it names, column there)."""
