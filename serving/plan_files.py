"""A plan under other limits than the published one: what it starts from, and its files."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pandas as pd

from matcher.wording import Language
from serving.names import file_name
from serving.privacy.outputs import Door
from serving.publish import Published
from serving.sheets import sheet_files, write_sheets
from serving.workbook import sheets_of_run

_STEMS = {"planned": "", "plans": "-overview", "steps": "-budgets"}
"""Tables that tell of a plan, and how their files' names go on."""


def options_of_run(published: Published, brief_id: str) -> pd.DataFrame:
    """Return what a plan of a published brief may choose from.

    Parameters
    ----------
    published : Published
        The run.
    brief_id : str
        One of its briefs.

    Returns
    -------
    DataFrame
        `serving.results.OPTIONS` of the brief, with each KOL's risk, score, fit and name. Runs that
        told no modes offer each match in the mode it was priced in.
    """
    matches = published.matches[published.matches["brief_id"] == brief_id]
    about = ["display_name", "risk", "score", "fit"]
    options = published.details.get("options", pd.DataFrame({"brief_id": []}))
    options = options[options["brief_id"] == brief_id]
    if not len(options):
        return matches[matches["mode"].notna()].reset_index(drop=True)
    known = matches.set_index("kol_id")[about]
    return options.join(known, on="kol_id").reset_index(drop=True)


def write_plan(
    folder: Path,
    published: Published,
    briefs: pd.DataFrame,
    plans: pd.DataFrame,
    planned: pd.DataFrame,
    language: Language,
    door: Door = nullcontext,
) -> list[Path]:
    """Write one brief's plan to a workbook and CSV files.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    published : Published
        The run that the plan chose from.
    briefs : DataFrame
        BRIEFS, for title, brand and goal.
    plans, planned : DataFrame
        `serving.results.PLANS` and `serving.results.PLANNED` of one brief.
    language : {"zh", "en"}
        Language of headings and words.
    door : callable
        Told the files before they are written, and held meanwhile.

    Returns
    -------
    list of Path
        ``plan-<brief>.<language>.xlsx`` and, for each of its sheets, a CSV file. The same plan of
        the same run gives the same bytes.
    """
    brief_id = str(plans["brief_id"].iloc[0])
    stem = f"plan-{file_name(brief_id)}"
    matches = published.matches[published.matches["brief_id"] == brief_id].reset_index(drop=True)
    details = {"plans": plans, "planned": planned}
    sheets = {
        sheet.stem: sheet
        for sheet in sheets_of_run(
            matches, published.exclusions.iloc[:0], briefs, language, details
        )
    }
    shown = [
        replace(sheets[name], stem=f"{stem}{rest}")
        for name, rest in _STEMS.items()
        if name != "steps" or len(sheets[name].frame)
    ]
    with door(sheet_files(folder, stem, shown, language)):
        return write_sheets(folder, stem, shown, published.run.created_at, language)
