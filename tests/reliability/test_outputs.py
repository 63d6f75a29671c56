"""Files outside the workspace that a killed command had begun: an erasure finds them all."""

import re
from pathlib import Path

import pandas as pd
import pytest

from serving.privacy.outputs import remembered
from tests.bytesearch import find_bytes
from tests.reliability.child import Stop
from tests.reliability.kills import VICTIMS, prepare
from tests.reliability.place import MATCH, Place

pytestmark = pytest.mark.long

BOOK = "xlsxwriter.workbook:Workbook.close"
STOPS = {
    "match": (
        Stop("announced, nothing written", "serving.privacy.outputs:remember", before=False),
        Stop("lists written beside, no workbook", BOOK),
        Stop("first workbook made in memory", BOOK, before=False),
        Stop("lists in their places", "serving.workflow:write_workflow"),
        Stop("workflow's workbook written", BOOK, before=False, nth=2),
        Stop("a page written", "serving.page:write_whole", before=False),
    ),
    "plan": (
        Stop("announced, nothing written", "serving.privacy.outputs:remember", before=False),
        Stop("workbook written beside", "serving.sheets:write_csv"),
        Stop("a table written beside", "serving.sheets:write_csv", before=False),
        Stop("one file in its place", "pathlib:Path.replace", before=False, nth=2),
        Stop("files written", "serving.plan_files:write_sheets", before=False),
    ),
    "reconcile": (
        Stop("announced, nothing written", "serving.privacy.outputs:remember", before=False),
        Stop("workbook written beside", "serving.sheets:write_csv"),
        Stop("tables in their places", "serving.ledger_files:write_sheets", before=False),
        Stop("JSON written beside", "os:fsync", nth=2),
    ),
    "evaluate": (Stop("the page is half in its place", "os:fsync", nth=2),),
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
    # A list from before a choice, so that the ledger has something to tell of the KOL.
    asked = ["--json", "match", "lake", "--run-id", "early", "--no-plan", "--top", "30"]
    done = [made.commands.run([*asked, *chosen_later(made)])]
    assert [one.process.exitcode for one in done] == [0], done[0].text
    made.keep("matched")
    return made


def chosen_later(place: Place) -> list[str]:
    """Return brief and moment of a list from before the KOL was chosen and brought something."""
    tables = place.world.tables
    done = tables.collaborations[tables.collaborations["kol_id"] == place.victim]
    done = done[done["collaboration_id"].isin(tables.outcomes["collaboration_id"])]
    brief_id, shown = done.sort_values("shown_at")[["brief_id", "shown_at"]].iloc[-1]
    decided = tables.briefs.set_index("brief_id")["decided_at"][brief_id]
    before = min(shown, decided) - pd.Timedelta(days=1)
    return ["--brief", str(brief_id), "--as-of", f"{before:%Y-%m-%dT%H:%M}"]


def typed(place: Place, command: str, out: Path) -> list[str]:
    """Return how a command is typed that writes to a place of the user's."""
    given = {
        "match": [*place.arguments("match")[2:], "--out", str(out)],
        "plan": [*place.arguments("plan")[2:], "--run", MATCH, "--out", str(out)],
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
    # A run id stands for the data that it was made of, and that is other data now.
    other = ["--run-id", "again"] if command == "match" else []
    again = place.commands.run([*typed(place, command, out), *other])
    assert again.process.exitcode == 0, again.text
    if command == "access":
        assert "was erased on" in again.text
        assert [path.name for path in out.iterdir()] == [".strange1"]
    assert find_bytes([place.lake, out], [place.victim, place.victims_name]) == []
    print(f"{command} killed, {stop.name}: {len(before)} files and names, none left")
