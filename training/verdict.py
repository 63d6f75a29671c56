"""What the gate says of a challenger: every check with its words and figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from training.markdown import cell


@dataclass(frozen=True)
class Check:
    """One thing that must hold.

    Attributes
    ----------
    name : str
        What is checked.
    passed : bool
        Whether it holds.
    words : str
        What was found, for a person.
    figures : mapping of str to float
        The numbers behind the words.
    """

    name: str
    passed: bool
    words: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """Whether a challenger may become champion, and why.

    Attributes
    ----------
    version : str
        The challenger.
    champion : str or None
        The champion that stood when the decision was made; the alias must still name it when it
        is moved.
    against : str
        What it was compared with, for a person.
    window : str
        On what, for a person.
    checks : tuple of Check
        All of them, in the order in which they were made.
    """

    version: str
    champion: str | None
    against: str
    window: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check holds; without any, no."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """Why not: the words of every check that does not hold."""
        return [f"{check.name}: {check.words}" for check in self.checks if not check.passed]

    def to_json(self) -> str:
        """Return the verdict as JSON text; a figure that is no number becomes null."""
        told = {"passed": self.passed, **asdict(self)}
        for check in told["checks"]:
            check["figures"] = {
                name: float(value) if math.isfinite(value) else None
                for name, value in check["figures"].items()
            }
        return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False)

    def to_markdown(self) -> str:
        """Return the verdict as a page for people."""
        said = "may become champion" if self.passed else "is refused"
        rows = [
            f"| {check.name} | {'holds' if check.passed else '**no**'} | {cell(check.words)} |"
            for check in self.checks
        ]
        return "\n".join(
            [
                f"# Version {self.version} {said}",
                "",
                f"Compared with {self.against} on {self.window}.",
                "",
                "| check | | found |",
                "|---|---|---|",
                *rows,
                "",
            ]
        )
