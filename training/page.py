"""The page of an evaluation: one HTML file that needs nothing else, for an ML engineer to judge by.

What comes from data is escaped by the template; only plots, which are made here, are put in as
they are.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import pandas as pd

from matcher.ranker import JUDGMENTS
from training.baselines import BASELINES, TEXT_BASELINES
from training.choices import LEARNED
from training.evaluate import HEADLINE, MODEL, ROSTER, VIEWS
from training.leads import FEW, METRICS
from training.plots import (
    as_svg,
    plot_families,
    plot_leads,
    plot_reliability,
    plot_rounds,
    plot_slices,
    plot_tiers,
)
from training.slices import LEAST_BRANDS, LEAST_BRIEFS

if TYPE_CHECKING:
    from jinja2 import Environment

    from training.report import Report

EXTREMES, ROWS = 5, 500
"""Briefs shown in full at either end, and most rows of the table of all."""
TEMPLATES = "templates"
ROUND = ["round", "test_from", "briefs_train", "briefs_valid", "briefs_test", "model", "rule"]
ROUND += ["against", "difference", "low", "high"]
ROSTER_NOTE = (
    "On the roster whoever was never tried counts as 0, so that view rewards agreeing with the "
    "choices of the past: a ranking that finds better KOLs than were tried falls behind there."
)
DOCS = {
    MODEL: "the model",
    LEARNED: "learned from whom the agency tried, never from what it brought",
    **{rule.name: rule.doc for rule in (*BASELINES, *TEXT_BASELINES)},
}


def render_page(report: Report, figures: dict[str, str], version: str = "") -> str:
    """Return the page.

    Parameters
    ----------
    report : Report
        What was found.
    figures : mapping
        Plots as SVG (`report_figures`).
    version : str
        Version of the model in the registry, where it has one.
    """
    from markupsafe import Markup

    lead, subject = report.lead, report.subject
    name = f"kolmatch model version {version}" if version else "a kolmatch model"
    title = f"Evaluation of {name}"
    if subject.refitted:
        title = f"Evaluation of the recipe of {name}, fitted anew"
    shown = report.briefs.head(ROWS).assign(
        at=[f"brief-{n}" for n in range(len(report.briefs.head(ROWS)))]
    )
    every = report.evaluation.summary(report.view).index
    return (
        environment()
        .get_template("evaluation.html.j2")
        .render(
            report=report,
            title=title,
            measured=_measured(report),
            lead=lead,
            model=MODEL,
            tiles=_tiles(report),
            sections=_sections(report, figures),
            facts=facts(report, version),
            how_split=how_split(report),
            rankers_count=len(every) - 1,
            views=[_view(report, view) for view in report.views],
            docs={name: DOCS.get(name, "") for name in every},
            rounds=_rows(report.by_round.reindex(columns=ROUND)),
            rounds_words=_rounds_words(report),
            slices=_rows(report.slices[report.view]),
            few=[row for row in _rows(report.slices[report.view]) if row["verdict"] == FEW],
            slices_words=_slices_words(report),
            note=ROSTER_NOTE if ROSTER in report.evaluation.views else "",
            reliability=report.reliability,
            calibration_words=calibration_words(report),
            coverage=_rows(report.coverage),
            regret=_rows(report.regret),
            money=_rows(
                report.regret_in_money[report.regret_in_money["ranker"].isin([MODEL, lead.rule])]
            ),
            tiers=[
                {"tier": tier, "shares": list(row)}
                for tier, row in zip(report.tiers.index, report.tiers.to_numpy(), strict=True)
            ],
            policy=policy_words(report),
            tier_columns=list(report.tiers.columns),
            roster_coverage=_rows(report.roster_coverage.reset_index()),
            extremes=_extremes(report, shown),
            briefs=_rows(shown),
            briefs_count=len(report.briefs),
            figures={key: Markup(svg) for key, svg in figures.items()},
        )
    )


def report_figures(report: Report) -> dict[str, str]:
    """Draw everything that can be drawn of an evaluation, as SVG by name."""
    leads = report.intervals[report.view]
    slices = report.slices[report.view]
    drawn = {
        "leads": (plot_leads(leads[leads["metric"] == HEADLINE]), "Lead over each ranking"),
    }
    if slices["low"].notna().any():
        drawn["slices"] = plot_slices(slices), "Lead in each slice"
    if len(report.rounds) > 1 and "low" in report.by_round:
        drawn["rounds"] = plot_rounds(report.by_round.dropna(subset=["low"])), "Lead by round"
    if len(report.forecasts):
        title = "Fit: chance of the upper half of peers, test outcomes"
        if report.judged:
            title = "Fit: chance of a grade of 3 or 4, test judgments"
        said, came = report.forecasts["fit"], report.forecasts["success"].astype(float)
        drawn["fit"] = plot_reliability(said, came, title), title
    if len(report.tiers):
        drawn["tiers"] = plot_tiers(report.tiers, MODEL), "Share of places by follower tier"
    if len(report.gain):
        drawn["families"] = plot_families(report.gain), "Share of gain by family of signals"
    return {name: as_svg(figure, name, label) for name, (figure, label) in drawn.items()}


def environment() -> Environment:
    """Return the templates' environment: everything escaped, numbers as people write them."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("training", TEMPLATES),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.tests["unknown"] = _unknown
    made.filters |= {
        "number": lambda value: "–" if _unknown(value) else f"{value:.3f}",
        "signed": lambda value: "–" if _unknown(value) else f"{value:+.3f}",
        "count": lambda value: "–" if _unknown(value) else f"{value:,.0f}",
        "share": lambda value: "–" if _unknown(value) else f"{value:.1%}",
        "p": lambda value: (
            "–" if _unknown(value) else ("<.001" if value < 0.001 else f"{value:.3f}")
        ),
        "day": lambda value: "–" if _unknown(value) else str(value)[:10],
    }
    return made


def how_split(report: Report) -> str:
    """Say in words who taught and who tested."""
    cuts = report.rounds[0].plan.cuts
    if report.subject.split == "brand":
        return (
            f"Brands were dealt into {report.config.training.folds} folds; each fold tests once, "
            "on models that saw no brief of its brands, and the next fold tunes. Time plays no "
            "part."
        )
    text = (
        f"Taught by what was known before {cuts['valid_from'][:16]} UTC, tuned by what was known "
        f"before {cuts['test_from'][:16]}, tested on briefs decided from then on. Briefs decided "
        f"less than {_days(cuts['embargo'])} before a cut teach nothing: only what came quickly of "
        "them was known by then."
    )
    if len(report.rounds) > 1:
        text += f" {len(report.rounds) - 1} earlier origins test the same recipe on earlier briefs."
    return text


def facts(report: Report, version: str = "") -> list[tuple[str, str]]:
    """Return what identifies the model and the data, as names and values."""
    subject, config = report.subject, report.config
    rests = "people's grades" if report.judged else "outcomes"
    return [
        ("model", f"{'version ' + version + ', ' if version else ''}hash {report.matcher.hash}"),
        ("learned from", rests),
        ("settings", f"hash {config.hash}, seed {config.seed}"),
        ("text encoder", subject.encoder),
        ("data versions", ", ".join(f"{n} {v}" for n, v in subject.data_versions.items()) or "–"),
        ("split", subject.split),
        *((name.replace("_", " "), cut) for name, cut in report.rounds[0].plan.cuts.items()),
        ("lists that decide", VIEWS[report.view]),
        ("kolmatch", subject.kolmatch),
    ]


def calibration_words(report: Report) -> str:
    """Say whether the chances of fit are honest."""
    told = report.reliability
    if told is None:
        return ""
    what = (
        "a grade of 3 or 4" if report.judged else "landing in the upper half of comparable outcomes"
    )
    if told.believable:
        end = "no more than chance gives a perfect model: nothing speaks against the chances."
    else:
        end = "more than chance gives a perfect model: the chances are off."
    return (
        f"Fit is the chance of {what}. Its calibration error is {told.ece:.3f}, with a noise floor "
        f"of {told.ece_noise_floor:.3f} for {told.rows} pairs: {end}"
    )


def policy_words(report: Report) -> str:
    """Say what the model's choice from logged lists would have brought; empty if nobody asked."""
    if report.untold:
        return f"The log cannot tell: {report.untold}"
    told = report.policy
    if "policy_dr" not in told:
        return ""
    doubly, snips = (
        f"{told[name]:.2f} ({told[f'{name}_low']:.2f} to {told[f'{name}_high']:.2f})"
        for name in ("policy_dr", "policy_snips")
    )
    return (
        "Contacting as many from the lists that were shown as the agency did, but the best by its "
        f"score, it would have brought {doubly} times what the agency's own choices did per "
        f"contact (doubly robust; {snips} by SNIPS; 95% intervals), estimated from logged "
        f"propensities with an effective sample of {told['policy_ess']:.0f} contacts."
    )


def _measured(report: Report) -> str:
    first, last = (_day(end) for end in report.tested)
    when = f", decided {first} to {last}" if first != "–" else ""
    lead = report.lead
    return (
        f"On {lead.briefs} test briefs of {lead.brands} brands{when}. Deciding lists: "
        f"{VIEWS[report.view]}."
    )


def _tiles(report: Report) -> list[dict[str, str]]:
    lead = report.lead
    if not isfinite(lead.low):
        return []
    tiles = [
        {
            "figure": f"{lead.model:.3f}",
            "words": f"NDCG@10; the best rule, {lead.rule}, {lead.against:.3f}",
        },
        {
            "figure": f"{lead.difference:+.3f}",
            "words": f"lead, 95% interval {lead.low:+.3f} to {lead.high:+.3f}",
        },
        {
            "figure": f"{lead.detectable:.3f}",
            "words": "smallest true lead that would be found (80% power)",
        },
    ]
    if report.reliability is not None:
        told = report.reliability
        tiles.append(
            {
                "figure": f"{told.ece:.3f}",
                "words": f"calibration error of fit; noise floor {told.ece_noise_floor:.3f}",
            }
        )
    views = report.coverage[report.coverage["forecast"] == "views"]
    words = "of views inside their 80% intervals"
    tiles += [{"figure": f"{held:.0%}", "words": words} for held in views["coverage"]]
    own = report.regret[report.regret["ranker"] == MODEL]
    words = "regret: value lost against the best affordable choice"
    tiles += [{"figure": f"{share:.1%}", "words": words} for share in own["regret"]]
    return tiles


def _sections(report: Report, figures: dict[str, str]) -> list[tuple[str, str]]:
    told = [
        ("what", "data"),
        ("rankers", "rankings"),
        ("rounds", "rounds"),
        ("slices", "slices"),
        ("calibration", "calibration"),
        ("coverage", "intervals"),
        ("regret", "regret"),
        ("exposure", "exposure"),
        ("reads", "signals"),
        ("briefs", "briefs"),
        ("again", "do it again"),
    ]
    absent = {"rounds"} if len(report.rounds) == 1 else set()
    if "families" not in figures:
        absent.add("reads")
    return [(at, words) for at, words in told if at not in absent]


def _view(report: Report, view: str) -> dict[str, Any]:
    others = [metric for metric in METRICS if metric != HEADLINE]
    summary = report.evaluation.summary(view)
    lead = report.intervals[view]
    lead = lead[lead["metric"] == HEADLINE].set_index("ranker").loc[summary.index]
    rows = [
        {
            "ranker": ranker,
            **lead.loc[ranker].to_dict(),
            "others": [float(summary.loc[ranker, metric]) for metric in others],
        }
        for ranker in summary.index
    ]
    names = [
        metric.upper() if "@" not in metric else metric.replace("ndcg", "NDCG") for metric in others
    ]
    briefs = int(summary["briefs"][MODEL])
    words = f"{view}: {VIEWS[view]} ({briefs:,} briefs)"
    return {"words": words, "rows": rows, "others": names}


def _rounds_words(report: Report) -> str:
    if report.subject.split == "brand":
        return "The same recipe was fitted once a fold; the registered model is the first fold's."
    return (
        "The same recipe was fitted at several moments, each time on the whole past before it, and "
        "tested on what came next; no brief is in two tests. The figures above are over all of "
        "them."
    )


def _slices_words(report: Report) -> str:
    table = report.slices[report.view]
    told = table["verdict"].value_counts().to_dict()
    counts = ", ".join(f"{count} {verdict}" for verdict, count in told.items()) or "none"
    return (
        f"Lead over {report.lead.rule} where the market is cut by brief (new brands, vertical, "
        "goal) or by KOL (new KOLs, platform, tier; ranked among themselves). Of "
        f"{len(table)} slices: {counts}. Verdicts are adjusted for being many (Holm); slices of "
        f"fewer than {LEAST_BRIEFS} briefs or {LEAST_BRANDS} brands get none."
    )


def _extremes(report: Report, shown: pd.DataFrame) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the briefs with the lowest and the highest lead, with their lists."""
    worst = shown.head(EXTREMES)
    best = report.briefs.tail(min(EXTREMES, max(len(report.briefs) - EXTREMES, 0))).iloc[::-1]
    at = shown.set_index("brief_id")["at"]
    best = best.assign(at=best["brief_id"].map(at).fillna("all-briefs"))
    lists = report.lists[report.lists["judged"] == (report.view == JUDGMENTS)]
    told = []
    for words, chosen in (("Worst", worst), ("Best", best)):
        rows = _rows(chosen)
        for row in rows:
            row["listed_kols"] = _rows(lists[lists["brief_id"] == row["brief_id"]].head(30))
        if rows:
            told.append((words, rows))
    return told


def _rows(table: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return rows whose unknown text is ``None``: a template takes NaN for something."""
    text = table.select_dtypes(exclude=["number", "datetime", "datetimetz", "bool"]).columns
    return table.astype(dict.fromkeys(text, object)).where(table.notna(), None).to_dict("records")


def _unknown(value: Any) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and not isfinite(value))


def _day(time: Any) -> str:
    return "–" if pd.isna(time) else str(time)[:10]


def _days(length: str) -> str:
    return f"{pd.Timedelta(length).days} days"
