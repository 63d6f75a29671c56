"""What the machine lacks, told apart from what is wrong with kolmatch."""

import errno
from pathlib import Path

import pytest

from features.errors import UserError
from matcher.cli import main
from matcher.commands import data
from matcher.commands.shared import EXHAUSTED
from matcher.exhaustion import exhausted


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/lake/a"), r"disk is full.*\(/lake/a\)"),
        (OSError(errno.EROFS, "Read-only file system"), "cannot be written to"),
        (MemoryError(), "memory ran out"),
        (RuntimeError("Generic error: No space left on device (os error 28)"), "disk is full"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), "disk is full"),
        (RuntimeError("attempt to write a readonly database"), "cannot be written to"),
        (RuntimeError("std::bad_alloc"), "memory ran out"),
    ],
)
def test_what_ran_out_is_found_anywhere_in_the_chain(error: Exception, told: str) -> None:
    outer = ValueError("Got no list")
    outer.__cause__ = RuntimeError("wrapped")
    outer.__cause__.__context__ = error
    for given in (error, outer):
        with pytest.raises(ValueError, match=told):
            raise ValueError(exhausted(given))


def test_other_errors_are_ours() -> None:
    error = ValueError("Got x")
    error.__cause__ = error  # a circle ends
    assert exhausted(error) is None
    assert exhausted(None) is None
    assert exhausted(OSError(errno.ENOENT, "No such file", "/disk is full")) is None


def test_a_full_disk_ends_in_one_message_and_its_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "lake/x")
    wrapped = UserError("Got a table that cannot be written")
    wrapped.__cause__ = full
    for error in (full, wrapped):

        def fail(*given: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(data, "files_of", fail)
        with pytest.raises(SystemExit) as ended:
            main(["check", str(tmp_path)])
        assert ended.value.code == EXHAUSTED
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert "Traceback" not in said
