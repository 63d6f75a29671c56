"""The command about successors: who is alike, grows faster and asks less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from matcher.commands.shared import (
    LAKE,
    ConfigFile,
    DataPath,
    MappingFile,
    load_config,
    open_embeddings,
    open_source,
    read_time,
    terminal_of_run,
)
from matcher.wording import Language, Text

if TYPE_CHECKING:
    import pandas as pd

    from matcher.console import Terminal

HEADS = (
    Text("#", "#"),
    Text("达人", "KOL"),
    Text("平台", "platform"),
    Text("量级", "tier"),
    Text("内容相似度", "similarity"),
    Text("月涨粉", "growth a month"),
    Text("合作形式", "mode"),
    Text("报价", "price"),
)


def successors(
    kol_id: Annotated[str, typer.Argument(help="Id of the KOL to be followed.")],
    data: DataPath = LAKE,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Moment of the decision, UTC. Default: now.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 10,
    language: Annotated[Literal["zh", "en"], typer.Option(help="Language of the table.")] = "en",
    config: ConfigFile = None,
    mapping: MappingFile = None,
) -> None:
    """List rising, cheaper look-alikes of a KOL, by what both write about.

    Each is another person, grows faster, and has a valid quote below the KOL's own in a mode and
    currency that both quote. Nothing is written.
    """
    import pandas as pd

    from features.history import History
    from features.pipeline import FeaturePipeline
    from matcher.directory import Directory
    from matcher.successors import successors_of

    terminal = terminal_of_run()
    moment = pd.Timestamp.now(tz="UTC").floor("s") if as_of is None else read_time(as_of)
    settings = load_config(config)
    with terminal.progress() as progress:
        source = open_source(data, mapping, progress)
        embeddings = open_embeddings(source, settings, progress)
        pipeline = FeaturePipeline(settings.features, embeddings)
        directory = Directory(History(source.tables), moment, pipeline, progress)
        told = successors_of(directory, kol_id, count)
    _show(terminal, told, kol_id, language)


def _show(terminal: Terminal, told: pd.DataFrame, kol_id: str, language: Language) -> None:
    if told.empty:
        nobody = Text(
            f"{kol_id} 暂无接替人选：没有内容相近、涨粉更快且同一合作形式报价更低的达人。",
            f"Nobody could follow {kol_id}: nobody alike grows faster and asks less in a mode that "
            "both offer.",
        )
        terminal.say(nobody.in_(language), successors=0)
        return
    rows = [_row(successor, language) for successor in told.to_dict("records")]
    title = Text(f"{kol_id} 的接替人选", f"Who could follow {kol_id}")
    terminal.table([head.in_(language) for head in HEADS], rows, title=title.in_(language))


def _row(told: dict[Any, Any], language: Language) -> tuple[object, ...]:
    import pandas as pd

    from matcher.names import name_of

    known = {name: "" if pd.isna(value) else str(value) for name, value in told.items()}
    return (
        int(told["rank"]),
        known["display_name"] or known["successor_id"],
        name_of("platform", known["platform"]).in_(language),
        name_of("tier", known["tier"]).in_(language) if known["tier"] else "",
        f"{told['similarity']:.2f}",
        f"{told['growth']:+.1%}",
        name_of("mode", known["mode"]).in_(language),
        f"{told['price']:,.0f} {known['currency']}",
    )
