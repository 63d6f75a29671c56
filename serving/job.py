"""The batch scoring job: open briefs in, a published run out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from features.errors import UserError
from features.progress import Progress, silent
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config
from matcher.model import Matcher
from matcher.registry import Loaded
from matcher.software import code_version
from serving.engine import Asked, Engine, OneProcess, Question
from serving.publish import Published, Run, check_run_id, publish_spooled, read_run, runs

HERE = OneProcess()
"""Makes lists in this process."""


@dataclass(frozen=True)
class Served:
    """What a scoring job made.

    Attributes
    ----------
    run : Run
        How it was made.
    home : Path
        Where it is published.
    stale : str
        Why an older copy of the model served; empty when it did not.
    """

    run: Run
    home: Path
    stale: str

    @cached_property
    def published(self) -> Published:
        """The run as readers find it, all its lists in memory."""
        return read_run(self.home, self.run.run_id)


def open_briefs(tables: Tables, as_of: pd.Timestamp) -> list[str]:
    """Return the briefs still to be decided at a moment, by id.

    A brief is open when no choice was made before `as_of` and its campaign is not over.
    """
    return still_open(tables.briefs, as_of)


def still_open(briefs: pd.DataFrame, as_of: pd.Timestamp) -> list[str]:
    """Return the same from the table of briefs: brief_id, decided_at and ends_at."""
    undecided = briefs["decided_at"].isna() | (briefs["decided_at"] >= as_of)
    running = briefs["ends_at"].isna() | (briefs["ends_at"] >= as_of)
    return sorted(briefs.loc[undecided & running, "brief_id"])


def serve(
    tables: Tables,
    versions: Mapping[str, str],
    home: Path,
    loaded: Loaded | None,
    config: Config,
    embeddings: Embeddings,
    *,
    as_of: pd.Timestamp,
    created_at: pd.Timestamp,
    brief_ids: Sequence[str] = (),
    top: int | None = None,
    explore_share: float | None = None,
    plan: bool | None = None,
    memory: float | None = None,
    run_id: str | None = None,
    engine: Engine = HERE,
    progress: Progress = silent,
) -> Served:
    """Match briefs and publish the lists as one run.

    Lists go to disk as they are made, so that memory does not grow with the briefs.

    Parameters
    ----------
    tables : Tables
        The data.
    versions : mapping
        Version of each table, for the record.
    home : Path
        Where published runs live.
    loaded : Loaded or None
        The champion; ``None`` ranks by likeness of content and audience.
    config : Config
        Settings where there is no model; a model brings those it was trained with.
    embeddings : Embeddings
        Text vectors.
    as_of : Timestamp
        Moment of the decision, UTC.
    created_at : Timestamp
        When the run is made, for the record.
    brief_ids : sequence of str
        Briefs to match; by default all open ones.
    top : int, optional
        Matches per brief.
    explore_share : float, optional
        Share of each list's places drawn by chance, 0-0.5; by default the model's setting.
    plan : bool, optional
        Whether budgets are planned; by default the model's setting.
    memory : float, optional
        GB that the process may take; by default the model's setting.
    run_id : str, optional
        Name of the run; by default made of `as_of`, the model and a digest of the question. The
        same run published twice is one run.
    engine : Engine
        Who makes the lists; the run is the same whoever does.

    Raises
    ------
    UserError
        If there is no brief to match, or the run's id could not name a folder.
    """
    wanted = sorted(set(brief_ids)) or open_briefs(tables, as_of)
    if not wanted:
        raise UserError(
            f"Got no brief that is open at {as_of}: every brief has decided_at or ended before; "
            "name one with --brief or give an earlier --as-of"
        )
    if run_id is not None:
        check_run_id(run_id)  # before the work, not after it
    matcher = (
        loaded.matcher if loaded else Matcher(config.with_spaces(tables), embeddings.encoder.id)
    )
    model = f"v{loaded.version}" if loaded else "content"
    # The same question to the same model about the same data is the same run; any other is not.
    asked = Asked(as_of, top, explore_share, plan, memory)
    question = Question(matcher, tables, dict(versions), embeddings, tuple(wanted), asked)
    run = Run(
        run_id=run_id or f"{as_of:%Y%m%dT%H%M%SZ}-{model}-{question.digest[:8]}",
        as_of=as_of,
        model_version=loaded.version if loaded else None,
        model_hash=matcher.hash,
        encoder_id=matcher.encoder_id,
        data_versions=dict(versions),
        config_hash=matcher.config.hash,
        seed=matcher.config.seed,
        top=top or matcher.config.serving.top,
        created_at=created_at,
        basis=matcher.basis,
        trained_at=pd.Timestamp(loaded.made_at) if loaded and loaded.made_at else None,
        stale=loaded.stale if loaded else "",
        briefs=question.briefs,
        explore_share=explore_share,
        plan=plan,
        settings=None if loaded else matcher.config.model_dump_json(),
        software=code_version("features", "matcher"),
    )
    with engine.spooled(question, home, progress) as spool:
        publish_spooled(home, run, spool)
    # Where the run was there already, it keeps the time at which it was first made.
    (made,) = (known for known in runs(home) if known.run_id == run.run_id)
    return Served(made, home, loaded.stale if loaded else "")
