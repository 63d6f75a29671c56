"""What a run in MLflow keeps of an evaluation: page, tables, plots and the model's card.

::

    evaluation.html            the page
    card.md                    the model's card
    evaluation/per_brief.csv   every metric, ranking, slice and brief
    evaluation/lists.csv       every known pair as ranked
    evaluation/*.csv           means, leads with intervals, slices, calibration, regret, exposure
    plots/*.svg                the page's plots
    baselines/choices.json     what was learned from choices alone, to be measured again
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from training.card import render_card
from training.choices import ARTIFACT, to_json
from training.page import render_page, report_figures
from training.reliability import reliability_bins

if TYPE_CHECKING:
    from matcher.tracking import TrackedRun
    from training.report import Report

PAGE, CARD = "evaluation.html", "card.md"


def log_report(run: TrackedRun, report: Report, version: str = "") -> str:
    """Log everything but the metrics of a report, and return the page.

    Parameters
    ----------
    run : TrackedRun
        Where to.
    report : Report
        What was found.
    version : str
        Version of the model in the registry.
    """
    for name, table in report_tables(report).items():
        run.table(table, f"evaluation/{name}.csv")
    figures = report_figures(report)
    for name, svg in figures.items():
        run.text(svg, f"plots/{name}.svg")
    chosen = report.rounds[0].chosen
    if chosen is not None:
        run.text(to_json(chosen), ARTIFACT)
    run.text(render_card(report, version), CARD)
    page = render_page(report, figures, version)
    run.text(page, PAGE)
    return page


def report_tables(report: Report) -> dict[str, pd.DataFrame]:
    """Return every table of a report by name; those with nothing in them are left out."""
    evaluation = report.evaluation
    tables = {
        "per_brief": evaluation.per_brief,
        "lists": report.lists,
        "rounds": report.by_round,
        "coverage": report.coverage,
        "regret": report.regret,
        "regret_in_money": report.regret_in_money,
        "regret_per_brief": evaluation.regret,
        "exposure": report.tiers.reset_index(),
        "roster_coverage": report.roster_coverage.reset_index(),
    }
    for view in report.views:
        tables[view] = evaluation.summary(view).reset_index()
        tables[f"{view}_leads"] = report.intervals[view]
        tables[f"{view}_slices"] = report.slices[view]
    if len(report.forecasts):
        said, came = report.forecasts["fit"], report.forecasts["success"].astype(float)
        tables["calibration"] = reliability_bins(said, came)
    return {name: table for name, table in tables.items() if len(table)}
