"""Every command survives being killed, and two at once do each other no harm."""

from pathlib import Path

import pytest

from tests.reliability.kills import VICTIMS, kills, prepare
from tests.reliability.place import Place
from tests.reliability.races import RACES, make_states, races

pytestmark = pytest.mark.long


def test_over_a_hundred_kills_leave_nothing_lost_or_half_published(tmp_path: Path) -> None:
    place = Place(tmp_path)
    seconds = prepare(place)
    made = list(kills(place, seconds))
    assert [kill for kill in made if kill.faults] == []
    assert len(made) == sum(len(victim.stops) + victim.random for victim in VICTIMS) >= 100


def test_fifty_rounds_of_two_at_once_lose_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    make_states(place)
    met = list(races(place))
    assert [each for each in met if each.faults] == []
    assert len(met) == sum(race.rounds for race in RACES) >= 50
