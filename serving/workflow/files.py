"""The files of a plan, one folder a brief."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from features.tables import Tables
from matcher.wording import Language, Text
from serving.headings import SHEETS
from serving.names import file_name
from serving.publish import Run, check_run_id
from serving.sheets import Sheet, open_book, unfinished
from serving.workflow import calendar, contract, outreach
from serving.workflow.calendar import Placed
from serving.workflow.campaign import Campaign, campaigns
from serving.workflow.monitoring import write_monitoring

MONITORING = "monitoring"
"""Folder of the sheets to fill in."""
_NAMES = {
    "outreach": Text("联系清单", "Outreach"),
    "contract": Text("合同核对", "Contract checklist"),
    "calendar": Text("发布排期", "Calendar"),
}


@dataclass(frozen=True)
class Workflow:
    """What was written of a run's plans.

    Attributes
    ----------
    files : tuple of Path
        Every file of every plan, written now or there already.
    kept : tuple of Path
        Those that were there with other content, which somebody may have filled in.
    """

    files: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()

    @property
    def folders(self) -> list[Path]:
        """The folder of each brief, in the order of the plans."""
        of_books = (path for path in self.files if path.name.startswith("workflow."))
        return [path.parent for path in of_books]


def write_workflow(
    folder: Path,
    run: Run,
    matches: pd.DataFrame,
    tables: Tables,
    language: Language,
    details: Mapping[str, pd.DataFrame],
) -> Workflow:
    """Write what work a run's plans make, to ``folder/<run_id>/<brief>``.

    A brief without a plan gets no files. A file that is there already with other content stays as
    it is, since people write in it.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    run : Run
        The run.
    matches : DataFrame
        `serving.results.MATCHES`.
    tables : Tables
        The data the run read.
    language : {"zh", "en"}
        Language of the files.
    details : mapping of str to DataFrame
        Tables of `serving.results.DETAILS` by name; those not given have no rows.

    Returns
    -------
    Workflow
        ``workflow.<language>.xlsx`` with outreach list, contract checklist and calendar, and
        ``monitoring`` with ``collaborations.xlsx``, ``outcomes.xlsx`` and ``mapping.toml``. The
        same run gives the same bytes.
    """
    check_run_id(run.run_id)
    files: list[Path] = []
    kept: list[Path] = []
    placed: Placed = {}
    for campaign in campaigns(matches, details, tables, run.as_of):
        target = folder / run.run_id / file_name(campaign.brief_id)
        dates = calendar.schedule(campaign, tables, run.as_of, language, placed)
        with unfinished(target) as partial:
            (partial / MONITORING).mkdir()
            book = partial / f"workflow.{language}.xlsx"
            _write_book(book, run, campaign, dates, language)
            made = write_monitoring(partial / MONITORING, run, campaign, dates, tables, language)
            for path in (book, *made):
                to = target / path.relative_to(partial)
                files.append(to)
                if to.exists() and to.read_bytes() != path.read_bytes():
                    kept.append(to)
                    continue
                to.parent.mkdir(exist_ok=True)
                path.replace(to)
    return Workflow(tuple(files), tuple(kept))


def _write_book(
    path: Path, run: Run, campaign: Campaign, dates: pd.DataFrame, language: Language
) -> None:
    frames: Sequence[tuple[str, pd.DataFrame, tuple[str, ...]]] = (
        ("outreach", outreach.outreach(campaign, language), outreach.TO_FILL_IN),
        ("calendar", dates, ()),
        ("contract", contract.checklist(campaign, dates, language), contract.TO_FILL_IN),
    )
    columns = {
        "outreach": outreach.COLUMNS,
        "calendar": calendar.COLUMNS,
        "contract": contract.COLUMNS,
    }
    with open_book(path, run.run_id, run.created_at, language) as book:
        for name, frame, fill_in in frames:
            sheet = Sheet(name, _NAMES[name], columns[name], frame, "display_name", fill_in)
            book.table(sheet)
        page = book.page(SHEETS["about"])
        book.meanings(page, 0, (head for name, _, _ in frames for head in columns[name]))
