"""How a job went, as a file in Prometheus' text format.

For node_exporter's textfile collector, or whatever reads the format. A job that is killed writes
nothing: watch ``kolmatch_job_finished_timestamp_seconds`` for that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from features.whole import write_whole

if TYPE_CHECKING:
    from features.delta import Change

GOOD = (0, 4, 5)
"""Exit codes of a job that did its work: a refused model and an older one included."""
HELP = {
    "kolmatch_job_success": "Whether the job did its work.",
    "kolmatch_job_exit_code": "The exit code that it ended with.",
    "kolmatch_job_duration_seconds": "How long it took.",
    "kolmatch_job_finished_timestamp_seconds": "When it ended, since 1970.",
    "kolmatch_ingest_rows": "Rows given, by table and by what became of them.",
    "kolmatch_briefs": "Briefs that the job published lists for.",
    "kolmatch_matches": "Rows of the lists.",
    "kolmatch_model_version": "Version of the model that served or was made.",
    "kolmatch_model_age_seconds": "Age of the model that served.",
    "kolmatch_model_stale": "Whether an older copy served since the registry could not give it.",
    "kolmatch_model_promoted": "Whether the model that was trained became champion.",
    "kolmatch_metric": "Measures of the model on test briefs, by name.",
    "kolmatch_drift_psi": "Stability index over all signals, by importance.",
    "kolmatch_drift_advice": "1 for what to do about drift, 0 for the rest.",
}
"""Every metric and what it says; all are gauges."""


class JobMetrics:
    """What is measured of one job.

    Parameters
    ----------
    job : str
        Name of the command, a label of every sample.
    file : Path or None
        Where it goes at the end; ``None`` writes nothing.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, job: str, file: Path | None, clock: Callable[[], float] = time.time) -> None:
        self.job, self.file = job, file
        self._clock, self._started = clock, clock()
        self._samples: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}

    def set(self, name: str, value: float | None, **labels: str) -> None:
        """Set a sample; what is not known is left out.

        Raises
        ------
        KeyError
            If `HELP` does not know the metric.
        """
        HELP[name]
        if value is not None and not math.isnan(value):
            told = tuple(({"job": self.job} | labels).items())
            self._samples.setdefault(name, {})[told] = float(value)

    def ingested(self, changes: Mapping[str, Change]) -> None:
        """Set what an ingest did to each table."""
        for table, change in changes.items():
            for what in ("inserted", "updated", "unchanged"):
                count = getattr(change, what)
                self.set("kolmatch_ingest_rows", count, table=table, change=what)

    def text(self) -> str:
        """Return what was set, in the order of `HELP`."""
        lines = []
        for name, meaning in HELP.items():
            if samples := self._samples.get(name):
                lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
                lines += [f"{name}{_labels(dict(at))} {value!r}" for at, value in samples.items()]
        return "\n".join(lines) + "\n"

    def write(self, code: int) -> None:
        """Write the file whole, given the exit code of the job.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if self.file is None:
            return
        now = self._clock()
        self.set("kolmatch_job_success", float(code in GOOD))
        self.set("kolmatch_job_exit_code", code)
        self.set("kolmatch_job_duration_seconds", now - self._started)
        self.set("kolmatch_job_finished_timestamp_seconds", now)
        write_whole(self.file, self.text())


def _labels(labels: Mapping[str, str]) -> str:
    """Write labels as the format asks."""
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{told}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
