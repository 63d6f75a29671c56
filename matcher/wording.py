"""Words in the two languages that people read kolmatch in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en"]


@dataclass(frozen=True)
class Text:
    """The same words in both languages."""

    zh: str
    en: str

    def in_(self, language: Language) -> str:
        """Return the words in one language."""
        return self.zh if language == "zh" else self.en
