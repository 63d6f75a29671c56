import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from features.errors import Fault
from matcher import console
from matcher.console import ALIKE, Terminal


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def _lines(text: str) -> list[dict[str, object]]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_words_go_to_stderr_and_tables_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.say("one", extra=1)
    terminal.warn("two")
    terminal.fail("three")
    terminal.table(["name", "rows"], [("a", 1234), ("b", 5)], title="Rows")
    told = capsys.readouterr()
    assert told.err == "one\nwarning: two\nerror: three\n"
    assert "Rows" in told.out
    assert "1,234" in told.out


def test_json_logs_are_one_object_a_line_whatever_they_carry(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = Terminal(json_logs=True)
    terminal.say("done", rows=3, share=float("nan"), most=float("inf"), names=("a", "b"))
    terminal.warn("two\nlines", nested={"a": [float("nan"), 1]})
    terminal.fail("达人", path=object)
    logging.getLogger("some.library").warning("told by %s", "a library")
    warnings.warn("told by a warning", stacklevel=1)
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        terminal.crash(error)
    with terminal.progress() as progress:
        progress("work", 0, 10)
    told = capsys.readouterr()
    assert told.out == ""
    done, two, fail, library, warning, crash = _lines(told.err)
    assert done["message"] == "done"
    assert (done["rows"], done["share"], done["most"], done["names"]) == (3, None, None, ["a", "b"])
    assert (two["level"], two["message"], two["nested"]) == (
        "warning",
        "two\nlines",
        {"a": [None, 1]},
    )
    assert (fail["level"], fail["message"]) == ("error", "达人")
    assert library["message"] == "told by a library"
    assert "told by a warning" in str(warning["message"])
    assert "RuntimeError: broken" in str(crash["error"])


def test_a_field_cannot_hide_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(json_logs=True).say("said", time="never", level=0)
    (line,) = _lines(capsys.readouterr().err)
    assert (line["message"], line["level"]) == ("said", "info")
    assert line["time"] != "never"


@pytest.mark.parametrize(
    "text", ["[red]红[/red]", "[/]", ":smile:", "a\\", "[link=http://x]y[/link]", "100% [bold]"]
)
def test_nothing_in_other_peoples_text_is_markup(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    terminal = Terminal()
    terminal.say(text)
    terminal.fail(text)
    terminal.table(["name"], [(text,)], title=text)
    fault = Fault("kols", text, 2, text, text, text)
    terminal.faults([fault] * (ALIKE + 1))
    told = capsys.readouterr()
    assert told.err == f"{text}\nerror: {text}\n"
    assert told.out.count(text) >= 2


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.say("a\x1b[31mb\x07\tc\x9b")
    terminal.table(["name"], [("a\x1b]0;title\x07",)])
    told = capsys.readouterr()
    assert told.err == "a[31mb c\n"
    assert "\x1b" not in told.out


def test_cells_are_written_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    values = [None, float("nan"), 1234.5, 2.0, 0.12345, True, "x"]
    Terminal().table([str(i) for i in range(len(values))], [values])
    row = capsys.readouterr().out.splitlines()[3]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["", "", "1,234.5", "2", "0.123", "True", "x"]


def test_a_long_message_stays_on_one_line_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().say("word " * 100)
    assert capsys.readouterr().err.count("\n") == 1


def _fault(row: int, value: str = "x", column: str = "price") -> Fault:
    return Fault("rates", "rates.csv", row, column, value, "an amount of money")


def test_faults_of_a_kind_are_counted_after_the_first_few(
    capsys: pytest.CaptureFixture[str],
) -> None:
    faults = [_fault(row) for row in range(2, 102)] + [_fault(7, "y" * 200, "currency")]
    Terminal().faults(faults)
    told = capsys.readouterr()
    assert told.err == ""
    assert "101 faults" in told.out
    assert "... and 95 more in rates.csv, price: expected an amount of money" in told.out
    assert "more in rates.csv, currency" not in told.out
    assert "y" * 200 not in told.out


def test_in_json_every_fault_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(json_logs=True).faults([_fault(row) for row in range(2, 22)])
    told = capsys.readouterr()
    assert told.out == ""
    lines = _lines(told.err)
    assert [line["row"] for line in lines] == list(range(2, 22))
    assert all(line["level"] == "error" for line in lines)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock's hands: set element 0."""
    now = [100.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def test_a_quick_stage_is_not_worth_a_line(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    with Terminal().progress() as progress:
        progress("reading tables", 0, 1)
        clock[0] += 1.9
        progress("reading tables", 1, 1)
        progress("matching briefs", 4, 4)
    assert capsys.readouterr().err == ""


def test_a_slow_stage_has_at_most_ten_lines(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    with Terminal().progress() as progress:
        for done in range(1001):
            clock[0] += 0.1
            progress("encoding texts", done, 1000)
    lines = capsys.readouterr().err.splitlines()
    # The first word is 0.1 s late: 100 texts in 10.1 s.
    assert lines[0] == "encoding texts: 100 of 1,000, 9.9 a second, 91 s left"
    assert lines[-1] == "encoding texts: 1,000 of 1,000"
    assert len(lines) == 10


def test_time_before_a_stage_first_tells_is_its_own(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    with Terminal().progress() as progress:
        progress("reading tables", 1, 1)
        clock[0] += 30
        progress("encoding texts", 4096, 4096)
        progress("encoding texts", 3, 3)  # the same stage again, at once
        progress("nothing to do", 0, 0)
    assert capsys.readouterr().err == "encoding texts: 4,096 of 4,096\n"
