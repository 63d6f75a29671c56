"""What a published run holds: the columns of its lists, and of the list of runs."""

from __future__ import annotations

from features.columns import Column, TableSpec
from features.contract import MODES, PLATFORMS
from features.history import TIER_FLOORS

BASES = ("outcomes", "judgments", "content")
"""What a ranking rests on: what past collaborations brought, people's grades, or likeness alone."""
STAGES = ("rising", "stable", "declining")
"""Where a KOL stands in the life of an account."""
STEP_STATUSES = ("optimal", "time_limit", "infeasible")
"""How the search for a plan ended: proven best, best so far, or nothing can satisfy the limits."""

_FORECAST = (
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
    Column(
        "value",
        "number",
        doc="expected worth of the collaboration by the brief's goal: views, saves and shares, "
        "engagements, or net sales; before the chance of a yes",
    ),
)
"""What one collaboration in one mode would bring and return."""

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
        Column("person_id", "id", doc="one human over several accounts; the KOL where unknown"),
        Column("tier", "choice", choices=tuple(TIER_FLOORS)),
        Column("followers", "count"),
        Column("mode", "choice", choices=MODES),
        Column("price", "money"),
        Column("currency", "text"),
        Column("price_low", "money", doc="lower quartile of what similar KOLs ask"),
        Column("price_high", "money", doc="upper quartile"),
        Column("fit", "share", doc="calibrated"),
        Column("score", "number", doc="orders KOLs inside one brief"),
        *_FORECAST,
        Column("risk", "share"),
        Column("median_views", "count"),
        Column("stage", "choice", choices=STAGES, doc="null where too little is known"),
        Column("halving", "share", doc="chance that engagement halves within 180 days"),
        Column("reasons_en", "labels"),
        Column("reasons_zh", "labels"),
        Column("caution_en", "text", doc="what speaks most against the match"),
        Column("caution_zh", "text"),
        Column("evidence", "text", doc="JSON object: signal to number"),
        Column("contributions", "text", doc="JSON object: family of signals to what it adds"),
        Column("figures", "text", doc="JSON object: what contrasts compare, by name"),
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
OPTIONS = TableSpec(
    "options",
    key=("brief_id", "kol_id", "mode"),
    known_at=None,
    columns=(
        Column("brief_id", "id", required=True),
        Column("kol_id", "id", required=True),
        Column("mode", "choice", required=True, choices=MODES),
        Column("recommended", "flag", required=True, doc="one a match"),
        Column("price", "money", required=True),
        Column("currency", "text", required=True),
        Column("price_low", "money", doc="lower quartile of what similar KOLs ask"),
        Column("price_high", "money", doc="upper quartile"),
        *_FORECAST,
        Column("signed", "count", doc="collaborations the KOL signed in this mode"),
        Column("why_en", "text", doc="why this mode is recommended, or not"),
        Column("why_zh", "text"),
    ),
)
"""Every mode that a match offers and its brief allows."""
RISKS = TableSpec(
    "risks",
    key=("brief_id", "kol_id", "kind"),
    known_at=None,
    columns=(
        Column("brief_id", "id", required=True),
        Column("kol_id", "id", required=True),
        Column("kind", "id", required=True, doc="one of `matcher.risk.parts.KINDS`"),
        Column("score", "share", required=True),
        Column("weight", "share", required=True, doc="how far it is believed to lead to harm"),
        Column("evidence_en", "labels", doc="which post, incident, number, date"),
        Column("evidence_zh", "labels"),
    ),
)
"""Named risks of each match, those above 0: total = 1 - prod(1 - weight * score)."""
SUCCESSORS = TableSpec(
    "successors",
    key=("brief_id", "kol_id", "successor_id"),
    known_at=None,
    columns=(
        Column("brief_id", "id", required=True),
        Column("kol_id", "id", required=True),
        Column("rank", "count", required=True, low=1),
        Column("successor_id", "id", required=True),
        Column("display_name", "text"),
        Column("platform", "choice", choices=PLATFORMS),
        Column("tier", "choice", choices=tuple(TIER_FLOORS)),
        Column("similarity", "number", required=True, doc="cosine of contents"),
        Column("price", "money"),
        Column("currency", "text"),
        Column("growth", "number", doc="followers a month, as a share"),
    ),
)
"""Rising, cheaper look-alikes of a match."""
PRECEDENTS = TableSpec(
    "precedents",
    key=("brief_id", "kol_id", "collaboration_id"),
    known_at=None,
    columns=(
        Column("brief_id", "id", required=True),
        Column("kol_id", "id", required=True),
        Column("rank", "count", required=True, low=1),
        Column("collaboration_id", "id", required=True),
        Column("with_kol_id", "id", required=True, doc="the match itself, or one like it"),
        Column("with_name", "text"),
        Column("title", "text", doc="of the past brief"),
        Column("brand_name", "text"),
        Column("similarity", "number", doc="cosine of the two briefs"),
        Column("mode", "choice", choices=MODES),
        Column("status", "text", required=True),
        Column("at", "time", doc="published, or else signed or shown"),
        Column("cost", "money"),
        Column("currency", "text"),
        Column("views", "count"),
        Column("engagements", "count"),
        Column("orders", "count"),
        Column("gmv", "money"),
    ),
)
"""Past campaigns like this one, and how they went."""
PLANS = TableSpec(
    "plans",
    key=("brief_id", "step"),
    known_at=None,
    columns=(
        Column("brief_id", "id", required=True),
        Column("step", "number", required=True, doc="share of the brief's budget; 1 is the plan"),
        Column("status", "choice", required=True, choices=STEP_STATUSES),
        Column("gap", "number", doc="how far from the best the set may be, as a share"),
        Column("budget", "money"),
        Column("currency", "text"),
        Column("spent", "money"),
        Column("kols", "count"),
        Column(
            "value",
            "number",
            doc="expected goal value of the set, refusals and risk included; where the goal is "
            "people (awareness, seeding) each counts once",
        ),
        Column("value_p10", "number"),
        Column("value_p50", "number"),
        Column("value_p90", "number"),
        Column("views_p10", "count"),
        Column("views_p50", "count"),
        Column("views_p90", "count"),
        Column("engagements_p50", "count"),
        Column("orders_p10", "count"),
        Column("orders_p50", "count"),
        Column("orders_p90", "count"),
        Column("gmv_p10", "money"),
        Column("gmv_p50", "money"),
        Column("gmv_p90", "money"),
        Column("roi_p10", "number"),
        Column("roi_p50", "number"),
        Column("roi_p90", "number"),
        Column("reach", "count", doc="different people reached, not the sum of views"),
        Column("risk", "share", doc="share of the money that is at risk: risk by weight of price"),
        Column("notes_en", "labels", doc="what the budget's next 10% brings; relaxations"),
        Column("notes_zh", "labels"),
    ),
)
"""What a budget buys: the plan, and the same for smaller and larger budgets."""
PLANNED = TableSpec(
    "planned",
    key=("brief_id", "step", "kol_id"),
    known_at=None,
    columns=(
        Column("brief_id", "id", required=True),
        Column("step", "number", required=True),
        Column("kol_id", "id", required=True),
        Column("chosen", "flag", required=True),
        Column("mode", "choice", required=True, choices=MODES),
        Column("price", "money", required=True),
        Column("currency", "text"),
        Column("value", "number", doc="expected, the chance of a yes and risk included"),
        Column("reach", "count", doc="people this KOL adds to the set's reach"),
        Column("entry_price", "money", doc="of who is left out: below this price they would enter"),
    ),
)
"""Who is in each plan; at step 1 also who is left out, and at which price they would enter."""
DETAILS = {spec.name: spec for spec in (OPTIONS, RISKS, SUCCESSORS, PRECEDENTS, PLANS, PLANNED)}
"""Tables of a run beside its matches and exclusions, by name."""
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
        Column("trained_at", "time", doc="when the model was registered"),
        Column("stale", "text", doc="why an older copy of the model served; null if none did"),
        Column("briefs", "labels", doc="briefs that were asked for"),
        Column("explore_share", "share", doc="as asked; null takes the settings'"),
        Column(
            "plan", "flag", doc="whether budgets were planned, as asked; null takes the settings'"
        ),
        Column("settings", "text", doc="JSON object, where no model brought them"),
        Column("software", "text", doc="kolmatch and its code that made the lists"),
        Column("redacted_at", "time", doc="when a KOL was erased from it last"),
        Column("content", "text", required=True, doc="hash of what the lists are and came from"),
    ),
)
