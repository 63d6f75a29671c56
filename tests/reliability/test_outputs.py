"""Files outside the workspace that a killed command had begun: an erasure finds them all."""

import re
from pathlib import Path

import pytest

from serving.privacy.outputs import remembered
from tests.bytesearch import find_bytes
from tests.reliability.child import Stop
from tests.reliability.kills import VICTIMS, prepare
from tests.reliability.place import Place

pytestmark = pytest.mark.long

BOOK = "xlsxwriter.workbook:Workbook.close"
STOPS = {
    "match": (
        Stop("announced, nothing written", "serving.privacy.outputs:remember", before=False),
        Stop("first workbook half written", BOOK),
        Stop("first workbook written", BOOK, before=False),
        Stop("lists in their places", "serving.workflow:write_workflow"),
        Stop("workflow's workbook written", BOOK, before=False, nth=2),
        Stop("a page written", "serving.page:write_whole", before=False),
    ),
    "plan": (
        Stop("announced, nothing written", "serving.privacy.outputs:remember", before=False),
        Stop("workbook written beside", BOOK, before=False),
        Stop("a table written beside", "serving.sheets:write_csv", before=False),
        Stop("one file in its place", "pathlib:Path.replace", before=False, nth=2),
        Stop("files written", "serving.plan_files:write_sheets", before=False),
    ),
    "reconcile": (
        Stop("announced, nothing written", "serving.privacy.outputs:remember", before=False),
        Stop("workbook written beside", BOOK, before=False),
        Stop("tables in their places", "serving.ledger_files:write_sheets", before=False),
        Stop("half of the JSON", "os:fsync", nth=2),
    ),
    "evaluate": (Stop("the page written beside", "os:fsync", nth=2),),
    "access": (
        Stop("announced, nothing written", "serving.privacy.outputs:remember", before=False),
        Stop("one file written", "matcher.commands.privacy:write_whole", before=False),
    ),
}
CASES = [(command, stop) for command, stops in STOPS.items() for stop in stops]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = Place(tmp_path_factory.mktemp("place"))
    prepare(made, [victim for victim in VICTIMS if victim.command in ("ingest", "train")])
    made.restore("trained")
    done = [made.commands.run(made.arguments(name)) for name in ("promote", "match")]
    assert [one.process.exitcode for one in done] == [0, 0]
    made.keep("matched")
    return made


def typed(place: Place, command: str, out: Path) -> list[str]:
    """Return how a command is typed that writes to a place of the user's."""
    given = {
        "match": [*place.arguments("match")[2:], "--out", str(out)],
        "plan": [*place.arguments("plan")[2:], "--out", str(out)],
        "reconcile": ["lake", "--out", str(out)],
        "evaluate": ["lake", "--out", str(out / "page.html")],
        "access": ["lake", place.victim, "--out", str(out / "held.json")],
    }
    return ["--json", command, *given[command]]


@pytest.mark.parametrize(
    ("command", "stop"), CASES, ids=[f"{command}: {stop.name}" for command, stop in CASES]
)
def test_an_erasure_finds_what_a_killed_command_wrote_elsewhere(
    place: Place, command: str, stop: Stop, tmp_path: Path
) -> None:
    place.restore("matched")
    out = tmp_path / "out"
    out.mkdir()
    (out / ".strange1").mkdir()  # of somebody else, and named as unfinished folders once were
    killed = place.commands.run(typed(place, command, out), stop)
    assert killed.process.exitcode == -9, killed.text
    assert remembered(place.lake)
    # What is in its place or beside it, and whole, names the KOL: the search would find it.
    before = find_bytes([out], [place.victim, place.victims_name])
    assert bool(before) == (re.search("announced|half", stop.name) is None)
    erased = place.commands.run(place.arguments("erase"))
    assert erased.process.exitcode == 0, erased.text
    assert find_bytes([place.lake, out], [place.victim, place.victims_name]) == []
    hidden = [path.name for path in out.rglob(".*")]
    assert hidden == [".strange1"]
    # Done again, it ends as it should, without the KOL.
    again = place.commands.run(typed(place, command, out))
    assert again.process.exitcode == 0, again.text
    if command == "access":
        assert "was erased on" in again.text
        assert [path.name for path in out.iterdir()] == [".strange1"]
    assert find_bytes([place.lake, out], [place.victim, place.victims_name]) == []
    print(f"{command} killed, {stop.name}: {len(before)} files and names, none left")
