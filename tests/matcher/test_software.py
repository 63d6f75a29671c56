"""Which kolmatch this is."""

import re

from matcher.software import code_version


def test_the_code_has_a_version_of_its_own() -> None:
    told = code_version("features", "matcher", "training")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\+[0-9a-f]{12}", told)
    assert told == code_version("features", "matcher", "training")
    assert told != code_version("features", "matcher")
