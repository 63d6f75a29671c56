"""Pages that people open from a mail attachment: one HTML file a brief, and an index a run.

Each file holds all it needs and asks the network for nothing; its content security policy allows
its own script and style by their hashes and no markup made from text. The data is embedded as JSON,
and the script puts it on the page as text only.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.tables import Tables
from features.whole import write_whole
from matcher.names import WORDS
from matcher.reasons.contrast import TEMPLATES
from matcher.wording import Language, Text
from serving.names import file_name
from serving.page_words import CODES, LABELS, LOW_RISK, MEDIUM_RISK, NOTES
from serving.plain import amount
from serving.proposal import Proposal, proposals
from serving.publish import Published, check_run_id

if TYPE_CHECKING:
    from jinja2 import Environment

INDEX = "index.html"
_HOME = "templates"
_PROPOSAL = (
    "dom",
    "words",
    "charts",
    "contrast",
    "kol",
    "plan",
    "list",
    "insight",
    "print",
    "proposal",
)
_INDEX = ("dom", "words", "index")
"""Scripts of each page, in the order in which they build on one another."""
_STYLES = ("page", "parts", "print")
_CODES = ("platform", "mode", "tier", "goal", "stage", "status")
"""Columns whose codes the pages say in words."""
_UNSAFE = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
"""What could end a script or start markup, written as JSON may write it too."""


def write_pages(
    folder: Path, published: Published, tables: Tables, language: Language
) -> list[Path]:
    """Write a run's pages to ``folder/<run_id>``, each whole or not at all.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    published : Published
        The run.
    tables : Tables
        The data it was made from.
    language : {"zh", "en"}
        Language in which the pages open; readers may change it.

    Returns
    -------
    list of Path
        One page a brief, by brief id, then the index. The same run gives the same bytes.

    Raises
    ------
    ValueError
        If `language` is neither.
    """
    if language not in ("zh", "en"):
        raise ValueError(f"Got language={language!r} but expected 'zh' or 'en'")
    check_run_id(published.run.run_id)
    target = folder / published.run.run_id
    told = proposals(published, tables)
    written = [
        write_whole(target / page_name(one.brief_id), render_proposal(one, language))
        for one in told
    ]
    return [*written, write_whole(target / INDEX, render_index(told, published, language))]


def page_name(brief_id: str) -> str:
    """Return the file of a brief's page, safe for any id and never that of the index.

    Examples
    --------
    >>> page_name("b00242")
    'brief-b00242.html'
    """
    return f"brief-{file_name(brief_id)}.html"


def render_proposal(proposal: Proposal, language: Language) -> str:
    """Return the page of one brief."""
    data = proposal.data
    brief = data["brief"]
    title = [brief.get("brand"), brief.get("title") or brief["id"]]
    return _render(
        "proposal.html.j2",
        _PROPOSAL,
        data
        | {
            "words": _words(),
            "language": language,
            "levels": [LOW_RISK, MEDIUM_RISK],
            "contrast": dict(TEMPLATES),
        },
        language,
        title=" · ".join(filter(None, title)),
        brief=brief,
        kols=data["kols"],
        index=INDEX,
        stale=_stale(data["run"], language),
    )


def render_index(told: Sequence[Proposal], published: Published, language: Language) -> str:
    """Return the page that leads to each brief's."""
    run = told[0].data["run"] if told else {"id": published.run.run_id}
    entries = [_entry(one) for one in told]
    label = LABELS["index.title"].in_(language)
    return _render(
        "index.html.j2",
        _INDEX,
        {"run": run, "briefs": entries, "words": _words(), "language": language},
        language,
        title=f"{label} · {run['id']}",
        briefs=entries,
        stale=_stale(run, language),
    )


def _stale(run: dict[str, Any], language: Language) -> str:
    """Return what is told where an older copy of the model served; nothing where none did."""
    if "stale" not in run:
        return ""
    unknown = LABELS["unknown"].in_(language)
    told = {"version": run.get("model_version"), "time": run.get("trained_at", unknown)}
    return LABELS["model.stale"].in_(language).format(**told, days=run.get("model_days", "?"))


def _entry(proposal: Proposal) -> dict[str, Any]:
    """Return what the index says of one brief."""
    brief, plan = proposal.data["brief"], proposal.plan
    kept = ("id", "brand", "title", "goal", "vertical", "budget", "currency", "ends", "platforms")
    entry = {name: brief[name] for name in kept if name in brief}
    entry |= {"file": page_name(proposal.brief_id), "matched": len(proposal.data["kols"])}
    if plan:
        figures = {name: plan[name] for name in ("spent", "value", "values") if name in plan}
        entry["plan"] = figures | {"kols": len(plan["chosen"])}
    return entry


def _render(
    template: str, scripts: Sequence[str], data: dict[str, Any], language: Language, **told: Any
) -> str:
    from markupsafe import Markup

    style = _joined(_STYLES, "css")
    script = f'(() => {{\n"use strict";\n{_joined(scripts, "js")}}})();\n'
    return (
        _environment()
        .get_template(template)
        .render(
            policy=_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            data=Markup(embedded(data)),
            language=language,
            t=lambda key, **values: LABELS[key].in_(language).format(**values),
            word=lambda group, code: _word(group, code, language),
            **told,
        )
    )


def embedded(data: Any) -> str:
    r"""Return data as JSON that can stand in a script element whatever it says.

    Examples
    --------
    >>> embedded("</script>")
    '"\\u003c/script\\u003e"'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_UNSAFE)


def _policy(style: str, script: str) -> str:
    """Return a policy that runs these two and nothing else, and makes no markup from text."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _joined(names: tuple[str, ...], kind: str) -> str:
    home = files("serving").joinpath(_HOME)
    parts = [home.joinpath(f"{name}.{kind}").read_text(encoding="utf-8") for name in names]
    return "\n".join(parts)


@cache
def _words() -> dict[str, Any]:
    """Return every label and code in both languages, as the script reads them."""
    groups = {"label": LABELS, "note": NOTES, **CODES}
    groups |= {name: dict(WORDS[name]) for name in _CODES}
    return {
        group: {code: {"zh": text.zh, "en": text.en} for code, text in words.items()}
        for group, words in groups.items()
    }


def _word(group: str, code: str | None, language: Language) -> str:
    words: Mapping[str, Text] = WORDS[group]
    return words[code].in_(language) if code and code in words else code or "–"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("serving", _HOME),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["figure"] = lambda value: "–" if value is None else f"{amount(value):,}"
    made.filters["share"] = lambda value: "–" if value is None else f"{value:.0%}"
    return made
