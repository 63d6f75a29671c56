"""What is wrong with somebody's data, said so that they can mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_SHOWN = 200
"""Characters of a value that a message shows."""


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong in one place.

    Attributes
    ----------
    table : str
        Table of the data contract, for instance ``"briefs"``.
    file : str
        File the value came from; empty when the table was built in memory.
    row : int
        Row as a spreadsheet counts it (the header is row 1); 0 when the fault is not in one row.
    column : str
        Column as the user wrote it; empty when the fault is not in one column.
    value : str
        What was found.
    expected : str
        What would have been right, in the user's words, and what to do where that is not plain.
    """

    table: str
    file: str
    row: int
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        place = [self.file or self.table]
        if self.row:
            place.append(f"row {self.row}")
        if self.column:
            place.append(f"column {self.column}")
        value = self.value if len(self.value) <= _SHOWN else f"{self.value[:_SHOWN]}..."
        return f"{', '.join(place)}: got {value!r}, expected {self.expected}"


class UserError(ValueError):
    """A mistake that its maker can mend, with a message in their words.

    The command line prints it without a traceback.
    """


class TableError(UserError):
    """Data that breaks the contract, with every fault found.

    Parameters
    ----------
    faults : iterable of Fault
        At least one.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        if not self.faults:
            raise ValueError("Got no faults but a TableError needs at least one")
        count = len(self.faults)
        lines = "\n".join(f"  {fault}" for fault in self.faults[:20])
        rest = f"\n  ... and {count - 20} more" if count > 20 else ""
        super().__init__(f"{count} fault{'s' if count > 1 else ''} in the data:\n{lines}{rest}")

    def __reduce__(self) -> tuple[type[TableError], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)
