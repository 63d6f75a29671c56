"""Commands about plans: choose whom to book for a budget."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from matcher.commands.shared import (
    INFEASIBLE,
    LAKE,
    ConfigFile,
    DataPath,
    MappingFile,
    load_config,
    open_source,
    terminal_of_run,
)

if TYPE_CHECKING:
    from features.tables import Tables
    from matcher.config import PlanConfig
    from matcher.planning.request import PlanRequest
    from serving.publish import Published

_FORM = "NAME=LEAST:MOST, in KOLs or in % of the money spent; NAME=N is exactly N. Repeat for more."


def plan(
    data: DataPath = LAKE,
    brief: Annotated[
        str | None, typer.Option("--brief", help="Brief id. Default: the run's only brief.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="Published run to choose from. Default: the latest.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(min=0, help="Money to spend. Default: the brief's.")
    ] = None,
    kols: Annotated[
        str | None,
        typer.Option(help="KOLs at most, or LEAST:MOST. Default: as many as the brief wants."),
    ] = None,
    platform: Annotated[list[str] | None, typer.Option(help=f"douyin=2:5. {_FORM}")] = None,
    tier: Annotated[list[str] | None, typer.Option(help=f"mega=:30%. {_FORM}")] = None,
    mode: Annotated[list[str] | None, typer.Option(help=f"live_commerce=1:. {_FORM}")] = None,
    vertical: Annotated[list[str] | None, typer.Option(help=f"beauty=50%:. {_FORM}")] = None,
    diverse: Annotated[
        list[str] | None,
        typer.Option(
            help="platform=60%: no platform takes more than that of the money; likewise tier, "
            "mode, vertical. Repeat for more."
        ),
    ] = None,
    must: Annotated[
        list[str] | None, typer.Option(help="Id of a KOL who must be in. Repeat for more.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Id of a KOL who must not be in. Repeat for more.")
    ] = None,
    max_risk: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Largest risk of any one KOL, 0-1.")
    ] = None,
    risk_aversion: Annotated[
        float | None,
        typer.Option(min=0.0, help="Value counts times (1 - risk) to this power; 0 ignores risk."),
    ] = None,
    money_per_kol: Annotated[
        float | None, typer.Option(min=0, help="Highest price of any one KOL.")
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(help="Shares of the budget to plan as well, such as 0.8,1.2 or 80%,120%."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", file_okay=False, help="Folder for the files. Default: the run's."),
    ] = None,
    language: Annotated[
        Literal["zh", "en"], typer.Option(help="Language of tables and words.")
    ] = "en",
    config: ConfigFile = None,
    mapping: MappingFile = None,
) -> None:
    """Plan a published brief's budget anew under other limits, and write the plan as files.

    Chooses who, in which mode, brings the most within the budget: exactly, by integer programming.
    The published run stays as it is. Where nothing keeps all limits, the smallest changes that
    would help are named, and the exit code is 7.
    """
    import pandas as pd

    from features.history import History, roster
    from matcher.planning.plan import Brief
    from matcher.planning.plan import plan as make
    from matcher.planning.screen import show_plan
    from matcher.planning.tables import frames_of
    from matcher.planning.words import notes_of
    from serving.plan_files import options_of_run, write_plan
    from serving.privacy.outputs import door

    terminal = terminal_of_run()
    settings = load_config(config)
    planning = _with_steps(settings.plan, steps)
    quotas = {"platform": platform, "tier": tier, "mode": mode, "vertical": vertical}
    limits: dict[str, Any] = {
        "budget": budget,
        "quotas": _quotas(quotas),
        "diversity": _diversity(diverse),
        "must": tuple(must or ()) or None,
        "max_risk": max_risk,
        "risk_aversion": risk_aversion,
        "money_per_kol": money_per_kol,
        **_count_of(kols),
    }
    with terminal.progress() as progress:
        source = open_source(data, mapping, progress)
    published = _published(source.home, run)
    row = _brief_row(source.tables, published, brief)
    brief_id = str(row["brief_id"])
    _check_kols(source.tables, [*(must or ()), *(without or ())])
    request = _request(row, planning, limits, tuple(without or ()))
    known = roster(History(source.tables), published.run.as_of)
    options = options_of_run(published, brief_id)
    made = make(Brief.of(row), options, known, request, planning, seed=published.run.seed)
    plans, planned = frames_of([made], known)
    files = write_plan(
        out or source.home / "lists" / published.run.run_id,
        published,
        source.tables.briefs,
        plans,
        planned,
        language,
        door(source.home, source.versions),
    )
    about = known.drop_duplicates("kol_id").set_index("kol_id")["display_name"].dropna()
    names = {str(kol_id): str(name) for kol_id, name in about.items()}
    title = "" if pd.isna(row["title"]) else str(row["title"])
    show_plan(terminal, made, names, language, f"{brief_id}  {title}".strip())
    for note in notes_of(made, names):
        terminal.say(note.in_(language))
    for file in files:
        terminal.say(f"Wrote {file}", file=str(file))
    if not made.best.solution.feasible:
        raise typer.Exit(INFEASIBLE)


def _published(home: Path, run_id: str | None) -> Published:
    from features.errors import UserError
    from serving.publish import latest_run, read_run

    if run_id is None:
        latest = latest_run(home)
        if latest is None:
            raise UserError(
                "Got no published run to plan from; rank KOLs with `kolmatch match` first"
            )
        run_id = latest.run_id
    return read_run(home, run_id)


def _brief_row(tables: Tables, published: Published, brief_id: str | None) -> dict[str, Any]:
    from features.errors import UserError

    ranked = list(dict.fromkeys(published.exclusions["brief_id"]))
    if brief_id is None and len(ranked) == 1:
        brief_id = ranked[0]
    if brief_id not in ranked:
        got = "no --brief" if brief_id is None else f"--brief {brief_id}"
        more = f" and {len(ranked) - 10} more" if len(ranked) > 10 else ""
        raise UserError(
            f"Got {got} but expected one of run {published.run.run_id}: "
            f"{', '.join(ranked[:10])}{more}"
        )
    briefs = tables.briefs
    found = briefs[briefs["brief_id"] == brief_id]
    if not len(found):
        raise UserError(f"Got --brief {brief_id}, which is no longer in the data")
    return {str(name): value for name, value in found.iloc[0].items()}


def _check_kols(tables: Tables, kol_ids: list[str]) -> None:
    from features.errors import UserError

    if unknown := sorted(set(kol_ids) - set(tables.kols["kol_id"])):
        raise UserError(
            f"Got KOLs {', '.join(unknown)} but expected ids that are in the kols table"
        )


def _request(
    row: dict[str, Any], planning: PlanConfig, limits: dict[str, Any], without: tuple[str, ...]
) -> PlanRequest:
    """Return what is asked: the brief's own limits, and those that were typed instead."""
    import pandas as pd

    from matcher.planning.request import PlanRequest

    own = PlanRequest.of_brief(row, planning)
    if limits["budget"] is not None and pd.isna(row["kols_wanted"]):
        # Only where neither money nor a number was told do the settings give one.
        own = own.model_copy(update={"kols": None})
    ruled_out = tuple(dict.fromkeys((*own.without, *without)))
    return own.changed(**limits, without=ruled_out or None)


def _quotas(given: dict[str, list[str] | None]) -> Any:
    from matcher.planning.request import Quota

    found = [
        Quota.read(dimension, text)  # type: ignore[arg-type]
        for dimension, texts in given.items()
        for text in texts or ()
    ]
    return tuple(found) or None


def _diversity(texts: list[str] | None) -> dict[str, float] | None:
    from features.errors import UserError
    from matcher.planning.request import DIMENSIONS

    found = {}
    for text in texts or ():
        match = re.fullmatch(r"(\w+)=([\d.]+)%", text.strip())
        if match is None or match[1] not in DIMENSIONS:
            raise UserError(
                f"Got --diverse {text!r} but expected one of {', '.join(DIMENSIONS)} and a largest "
                "share, such as platform=60%"
            )
        found[match[1]] = float(match[2]) / 100
    return found or None


def _count_of(text: str | None) -> dict[str, int]:
    if text is None:
        return {}
    match = re.fullmatch(r"(?:(\d+):)?(\d+)?", text.strip())
    if match is None or not (match[1] or match[2]):
        raise typer.BadParameter(
            f"{text!r} is no number of KOLs such as 10, 5:10 or 5:", param_hint="--kols"
        )
    ends = {"kols_least": match[1], "kols": match[2]}
    return {name: int(end) for name, end in ends.items() if end}


def _with_steps(planning: PlanConfig, text: str | None) -> PlanConfig:
    if text is None:
        return planning
    shares = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(%?)\s*", part)
        share = float(match[1]) / (100 if match[2] else 1) if match else 0.0
        if not 0 < share <= 10:
            raise typer.BadParameter(
                f"{text!r} are no shares of the budget such as 0.8,1.2 or 80%,120%",
                param_hint="--steps",
            )
        shares.append(share)
    return planning.model_copy(update={"steps": tuple(shares)})
