import pytest

from features.simulate import World, simulate


@pytest.fixture(scope="session")
def world() -> World:
    return simulate(kols=2000, briefs=300, seed=7)
