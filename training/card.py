"""The model's card: what a version is, was taught by, can and cannot do, in the run's own numbers.

Headings after Mitchell et al., Model Cards for Model Reporting (FAT* 2019).
"""

from __future__ import annotations

from importlib.metadata import metadata
from typing import TYPE_CHECKING

from training.evaluate import HEADLINE, MODEL, VIEWS
from training.leads import FEW, weak_slices
from training.markdown import cell
from training.page import calibration_words, environment, facts, how_split, policy_words
from training.plots import by_family

if TYPE_CHECKING:
    from training.report import Report


def render_card(report: Report, version: str = "") -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    report : Report
        What was found.
    version : str
        Version of the model in the registry, where it has one.
    """
    made = environment()
    made.filters["cell"] = cell
    slices = report.slices[report.view]
    own = report.regret[report.regret["ranker"] == MODEL]
    text = made.get_template("card.md.j2").render(
        report=report,
        version=version,
        lead=report.lead,
        facts=facts(report, version),
        licence=metadata("kolmatch")["License-Expression"],
        parts=_parts(report),
        markets=_markets(report),
        not_for=_not_for(report),
        split=how_split(report),
        views=[_view(report, view) for view in report.views],
        weak=weak_slices(slices).to_dict("records"),
        few=list(slices["slice"][slices["verdict"] == FEW]),
        calibration=calibration_words(report),
        coverage=report.coverage.to_dict("records"),
        policy=policy_words(report),
        regret=next(iter(own.to_dict("records")), None),
        families=list(by_family(report.gain).items()) if len(report.gain) else [],
        start=_start(report),
        limits=_limits(report),
        command=report.subject.command.replace("```", ""),
    )
    # Blocks of the template that say nothing leave empty lines.
    lines = text.splitlines()
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return "\n".join(kept) + "\n"


def _parts(report: Report) -> list[str]:
    """Name the fitted parts."""
    matcher = report.matcher
    heads = sorted(matcher.forecaster.heads) if matcher.forecaster is not None else []
    told = [f"forecasts of {', '.join(heads)}" if heads else "no forecast"]
    told.append("a ranker of fit (LightGBM LambdaRank)")
    if matcher.projections:
        told.append(f"projections of {', '.join(p.space for p in matcher.projections)}")
    return told


def _start(report: Report) -> str:
    ranker = report.matcher.ranker
    learned = ranker is not None and ranker.likeness is not None
    return "learned likeness of texts and audiences" if learned else "the forecast value per price"


def _markets(report: Report) -> str:
    """Say what taught the model, by the most frequent of each kind."""
    told = []
    for name in ("goal", "platform", "currency"):
        table = report.data[name]
        if "train" in table and table["train"].sum():
            counts = table["train"].sort_values(ascending=False, kind="stable")
            counts = counts[counts > 0]
            told.append(f"{name} " + ", ".join(f"{cell(k)} ({n:,})" for k, n in counts.items()))
    return "; ".join(told) or "the briefs counted below"


def _not_for(report: Report) -> list[str]:
    """Say what the model cannot do, as the data has it."""
    lines = [
        "Not for deciding alone: a list is a proposal, and every filter has its reasons listed."
    ]
    matcher = report.matcher
    heads = set() if matcher.forecaster is None else set(matcher.forecaster.heads)
    missing = sorted({"views", "ctr", "cvr"} - heads)
    if missing:
        lines.append(f"Not for forecasting {', '.join(missing)}: too few outcomes taught them.")
    for name in ("goal", "platform"):
        table = report.data[name]
        if "train" in table:
            never = [cell(k) for k in table.index[table["train"] == 0]]
            if never:
                lines.append(f"No training brief of {name} {', '.join(never)}.")
    return lines


def _limits(report: Report) -> list[str]:
    """Say how the data was come by, and what that hides."""
    config = report.config.training
    if report.judged:
        lines = ["It learned what people expect to fit, not what collaborations bring."]
    else:
        tried = report.data["platform"].to_numpy().sum()
        lines = [
            f"Selection bias: the {tried:,.0f} delivered collaborations are those that somebody "
            "chose. Nothing is observed of KOLs that were never tried; they are taken to be "
            + (
                "as good as the forecast says."
                if config.unknown == "forecast"
                else f"worse, at a weight of {config.unknown_weight:g}."
            ),
            f"An outcome counts at {config.horizon_days} days; what comes later is not seen.",
        ]
    tiers = report.tiers
    if len(tiers) and tiers["value"].notna().any():
        gap = (tiers[MODEL] - tiers["value"]).to_numpy()
        told = [
            f"tier {tiers.index[at]} gets {tiers[MODEL].iloc[at]:.0%} of the places; of the tried "
            f"it was {tiers['tried'].iloc[at]:.0%}, had {tiers['cost'].iloc[at]:.0%} of the money "
            f"and brought {tiers['value'].iloc[at]:.0%} of the value"
            for at in (int(gap.argmax()), int(gap.argmin()))
        ]
        lines.append(f"Exposure: {'; '.join(told)}.")
    spread = report.roster_coverage
    if MODEL in spread.index:
        lines.append(
            f"{spread['coverage'][MODEL]:.0%} of the eligible KOLs are in any list of the test "
            f"briefs (Gini of places {spread['gini'][MODEL]:.2f})."
        )
    if report.subject.split == "brand":
        lines.append("Tested on brands never seen, without regard to time: drift is not measured.")
    return lines


def _view(report: Report, view: str) -> dict[str, object]:
    table = report.intervals[view]
    table = table[table["metric"] == HEADLINE].sort_values("mean", ascending=False)
    return {"words": f"On {VIEWS[view]}", "rows": table.to_dict("records")}
