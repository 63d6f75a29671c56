"""What a published run holds: the columns of its lists, and of the list of runs."""

from __future__ import annotations

from features.columns import Column, TableSpec
from features.contract import MODES, PLATFORMS

BASES = ("outcomes", "judgments", "content")
"""What a ranking rests on: what past collaborations brought, people's grades, or likeness alone."""

MATCHES = TableSpec(
    "matches",
    key=("brief_id", "kol_id"),
    known_at=None,
    columns=(
        Column("brief_id", "id", required=True),
        Column("rank", "count", required=True, low=1),
        Column("kol_id", "id", required=True),
        Column("platform", "choice", choices=PLATFORMS),
        Column("display_name", "text"),
        Column("tier", "text"),
        Column("followers", "count"),
        Column("mode", "choice", choices=MODES),
        Column("price", "money"),
        Column("currency", "text"),
        Column("price_low", "money", doc="lower quartile of what similar KOLs ask"),
        Column("price_high", "money", doc="upper quartile"),
        Column("fit", "share", doc="calibrated"),
        Column("score", "number", doc="orders KOLs inside one brief"),
        Column("views_p10", "count", doc="nine in ten collaborations bring more"),
        Column("views_p50", "count", doc="median views that the collaboration would bring"),
        Column("views_p90", "count", doc="one in ten brings more"),
        Column("engagement_rate", "share", doc="engagements over views"),
        Column("ctr", "share", doc="clicks over views"),
        Column("cvr", "share", doc="orders over clicks"),
        Column("accept", "share", doc="chance that the KOL says yes when asked; calibrated"),
        Column("refund_rate", "share", doc="share of sales sent back"),
        Column("engagements_p10", "count"),
        Column("engagements_p50", "count"),
        Column("engagements_p90", "count"),
        Column("clicks_p50", "count"),
        Column("orders_p10", "count"),
        Column("orders_p50", "count"),
        Column("orders_p90", "count"),
        Column("gmv_p10", "money", doc="sales before refunds, in `currency`"),
        Column("gmv_p50", "money"),
        Column("gmv_p90", "money"),
        Column("cpm_p10", "money", doc="price of 1,000 views"),
        Column("cpm_p50", "money"),
        Column("cpm_p90", "money"),
        Column("cpe_p50", "money", doc="price of an engagement"),
        Column("cpa_p50", "money", doc="price of an order; null where most futures bring none"),
        Column("roi_p10", "number", doc="(gmv (1 - refunds) margin - price) / price"),
        Column("roi_p50", "number"),
        Column("roi_p90", "number"),
        Column("risk", "share"),
        Column("median_views", "count"),
        Column("reasons_en", "labels"),
        Column("reasons_zh", "labels"),
        Column("evidence", "text", doc="JSON object: signal to number"),
        Column("basis", "choice", required=True, choices=BASES),
        Column("list_chance", "share", doc="chance to be in this list; 1 where nothing was drawn"),
        Column("explored", "flag", doc="the place was drawn by chance"),
    ),
)
EXCLUSIONS = TableSpec(
    "exclusions",
    key=("brief_id", "reason"),
    known_at=None,
    columns=(
        Column("brief_id", "id", required=True),
        Column("reason", "id", required=True, doc="code; 'eligible' counts who is left"),
        Column("kols", "count", required=True),
        Column("text_en", "text"),
        Column("text_zh", "text"),
    ),
)
RUNS = TableSpec(
    "runs",
    key=("run_id",),
    known_at="created_at",
    columns=(
        Column("run_id", "id", required=True),
        Column("as_of", "time", required=True),
        Column("model_version", "text"),
        Column("model_hash", "text"),
        Column("encoder_id", "text"),
        Column("data_versions", "text", doc="JSON object: table to version"),
        Column("config_hash", "text"),
        Column("seed", "text"),
        Column("top", "count"),
        Column("created_at", "time", required=True),
        Column("basis", "choice", choices=BASES),
        Column("content", "text", required=True, doc="hash of all of it but created_at"),
    ),
)
