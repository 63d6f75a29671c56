"""README and command line cannot drift apart."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from matcher import cli
from matcher.commands import shared

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(c.callback.__name__ for c in cli.app.registered_commands if c.callback)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readmes_table(command: str) -> None:
    assert re.search(rf"^\| `{command}` \| \S", README, re.MULTILINE)


def test_the_readme_knows_no_command_that_is_not_there() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    told |= set(re.findall(r"bin/kolmatch (\w+)", README))
    assert told == set(COMMANDS)


def test_exit_codes_are_those_of_the_command_line() -> None:
    (paragraph,) = re.findall(r"^Exit codes: (.*?)\.\s", README, re.MULTILINE | re.DOTALL)
    told = [int(code) for code in re.findall(r"(?:^|, )(\d+)\b", paragraph.replace("\n", " "))]
    known = [shared.OK, shared.USAGE, shared.BAD_DATA, shared.REFUSED, shared.STALE, shared.BUSY]
    known += [shared.INFEASIBLE, shared.EXHAUSTED, shared.DIFFERENT, shared.LOST]
    known += [shared.UNWELL]
    assert told == known


def test_make_targets_that_the_readme_names_are_there() -> None:
    named = set(re.findall(r"^make (\w+)", README, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= named <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_options_that_the_readme_names_exist() -> None:
    group = get_command(cli.app)
    parts = [group, *group.commands.values()]  # type: ignore[attr-defined]
    known = {name for part in parts for option in part.params for name in option.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named
    assert named <= known
