from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import UserError
from features.tables import Tables
from matcher.config import Config


def test_what_the_file_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    file = tmp_path / "kolmatch.toml"
    file.write_text("seed = 3\n[ranker]\ntrees = 7\n", encoding="utf-8")
    config = Config.load(file)
    assert (config.seed, config.ranker.trees) == (3, 7)
    assert config.ranker.leaves == Config().ranker.leaves


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[ranker]\ntreees = 7", r"ranker\.treees is not a setting; expected one of trees, leaves"),
        ("tops = 1", r"tops is not a setting; expected one of seed, encoder"),
        ("[ranker]\nleaves = 65", r"ranker\.leaves = 65: .*64"),
        ("[training]\nvalid_share = 'x'\ntest_share = 2", r"valid_share = 'x'.*\n.*test_share = 2"),
        ("[encoder]\nmodle = 'a'", r"encoder\.modle is not .* one of model"),
        ("seed = ", "expected a TOML file"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "kolmatch.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        Config.load(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent\.toml, which cannot be read"):
        Config.load(tmp_path / "absent.toml")


def test_spaces_that_both_sides_have_are_compared() -> None:
    rows = [("brief", "b", "both"), ("kol", "k", "both"), ("kol", "k", "one")]
    vectors = pd.DataFrame(rows, columns=["owner", "id", "space"]).assign(
        observed_at=pd.Timestamp(0, tz="UTC"), vector=[np.ones(2)] * 3
    )
    told = Config().with_spaces(Tables.of(vectors=vectors))
    assert told.features.spaces == ("both",)
    assert told.with_spaces(Tables.of(vectors=vectors)) == told
    assert told.with_spaces(Tables.of()) == told


def test_a_space_named_as_our_own_signals_is_refused() -> None:
    vectors = pd.DataFrame({"owner": ["brief", "kol"], "id": ["b", "k"], "space": "mean"})
    vectors = vectors.assign(observed_at=pd.Timestamp(0, tz="UTC"), vector=[np.ones(2)] * 2)
    # `Tables.of` checks names; a lake that was filled before they were taken does not.
    old = Tables.of().replace(vectors=vectors)
    message = "Got vector spaces mean: mean name kolmatch's own signals; rename the space in the"
    with pytest.raises(UserError, match=message):
        Config().with_spaces(old)


def test_the_hash_changes_with_any_setting() -> None:
    assert Config().hash == Config().hash
    assert Config().hash != Config(seed=1).hash
