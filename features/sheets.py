"""A table of text as it stood in a file, that knows where each cell was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.errors import Fault

EXACT = 10**15
"""Numbers from here on have more digits than a spreadsheet, or a float, keeps of an id."""

ROUNDED = (
    "the id as text; numbers of more than 15 digits are rounded in such a column. "
    "Export it again with the column as text"
)


@dataclass(frozen=True)
class Spoiled:
    """A cell whose value the file itself has lost.

    Attributes
    ----------
    value : str
        What is left.
    expected : str
        What to do about it.
    as_number : bool
        Whether what is left still serves where a number is wanted.
    """

    value: str
    expected: str
    as_number: bool = False


@dataclass(frozen=True)
class Sheet:
    """One table of text.

    Attributes
    ----------
    file : str
        Name of the file.
    sheet : str
        Name of the worksheet; empty where files have none.
    cells : pandas.DataFrame
        Text by header, null where there was nothing. Columns without a header are named by
        `unnamed`.
    rows : ndarray of int64, shape (rows,)
        Row of each record as a spreadsheet counts it, the header being row 1.
    typed : frozenset of str
        Headers of columns in which the file stored nothing but numbers.
    spoiled : mapping of (int, str) to Spoiled
        Lost cells by position in `cells` and header.
    faults : tuple of Fault
        Rows that could not be taken, and are not in `cells`.
    encoding : str
        Of a text file; empty for others.
    """

    file: str
    sheet: str
    cells: pd.DataFrame
    rows: npt.NDArray[np.int64]
    typed: frozenset[str] = frozenset()
    spoiled: Mapping[tuple[int, str], Spoiled] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    encoding: str = ""

    @property
    def label(self) -> str:
        """Where it is, for messages: the file, and the worksheet if there is one."""
        return label(self.file, self.sheet)


class FileError(ValueError):
    """A file that cannot be read as a table at all, with everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, faults)))


def label(file: str, sheet: str) -> str:
    """Return how messages call a file or one of its worksheets."""
    return f"{file} [{sheet}]" if sheet else file


def unnamed(position: int) -> str:
    """Return what a column without a header is called.

    Examples
    --------
    >>> unnamed(0), unnamed(27)
    ('(column A)', '(column AB)')
    """
    letters, rest = "", position + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"(column {letters})"


def headers_of(cells: Sequence[str], place: str, row: int) -> list[str]:
    """Return headers that name each column once.

    Raises
    ------
    FileError
        If a header comes twice.
    """
    names = [cell.strip() or unnamed(position) for position, cell in enumerate(cells)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        expected = "each header once; rename or remove the others"
        raise FileError([Fault("", place, row, name, name, expected) for name in twice])
    return names


def number_text(number: float) -> str:
    """Return a finite number as somebody would write it, without exponent or needless zeros.

    Examples
    --------
    >>> number_text(123.0), number_text(1e-7), number_text(12.5)
    ('123', '0.0000001', '12.5')
    """
    exact = Decimal(repr(number))
    return f"{exact.to_integral_value():f}" if exact == exact.to_integral_value() else f"{exact:f}"


def text_column(values: Any) -> pd.Series[Any]:
    """Return a column of text from an Arrow array or a sequence with ``None`` for null."""
    if not isinstance(values, (pa.Array, pa.ChunkedArray)):
        values = pa.array(values, pa.large_string())
    return pd.Series(pd.array(values.cast(pa.large_string()), dtype="str"))
