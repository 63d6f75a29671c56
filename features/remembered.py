"""Rows that are worked out when somebody first asks, and kept for who asks next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from features.spill import blank

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]


class Remembered:
    """Rows of several arrays by number; in files if they are large.

    Parameters
    ----------
    room : int
        Bytes of rows that are kept from one question to the next, beyond those last asked about;
        what is laid out for them may be twice that. What does not fit beside what is asked about
        now is forgotten, all of it: what is asked in the order of time does not come back to what
        is long past.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._forget()

    def _forget(self) -> None:
        self._names = np.empty(0, dtype=np.int64)
        self._place = np.empty(0, dtype=np.int64)
        self._held: dict[str, Array] = {}

    def ask(self, names: Ints, make: Callable[[Ints], Mapping[str, Array]]) -> dict[str, Array]:
        """Return rows of some names.

        Parameters
        ----------
        names : ndarray of int64
            Distinct numbers, ascending.
        make : callable
            Gives the rows of names, each resting on its name alone; the same arrays each time.
        """
        missing = self._missing(names)
        if len(missing) or not self._held:
            if self._size(len(self._names) + len(missing)) > self._room:
                self._forget()
                missing = names
            self._put(missing, make(missing))
        place = self._place[np.searchsorted(self._names, names)]
        return {name: values[place] for name, values in self._held.items()}

    def _missing(self, names: Ints) -> Ints:
        if not len(self._names):
            return names
        at = np.minimum(np.searchsorted(self._names, names), len(self._names) - 1)
        return np.asarray(names[self._names[at] != names])

    def _size(self, rows: int) -> int:
        row = sum(
            values.itemsize * int(np.prod(values.shape[1:])) for values in self._held.values()
        )
        return rows * (row + self._names.itemsize + self._place.itemsize)

    def _put(self, names: Ints, rows: Mapping[str, Array]) -> None:
        first, count = len(self._names), len(names)
        for name, values in rows.items():
            held = self._held.get(name, values)
            if first + count > len(held) or name not in self._held:
                # Twice as much each time: a row is moved once or twice, however many come.
                room = blank((max(first + count, 2 * first), *held.shape[1:]), held.dtype)
                room[:first] = held[:first]
                self._held[name] = room
            self._held[name][first : first + count] = values
        to = np.searchsorted(self._names, names)
        self._place = np.insert(self._place, to, np.arange(first, first + count))
        self._names = np.insert(self._names, to, names)
