"""Splits a line into words. Pure; knows quotes, JSON in brackets and comments, and nothing of actions.

A word is bare, quoted, or a mixture. A bracket that opens a word or the value of ``name=`` runs to its partner, so JSON
needs no quotes: ``call set {"key": "a b"}``. ``#`` at the start of a word makes the rest of the line a comment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from node.errors import Refused

_PARTNER: Final = {"{": "}", "[": "]"}


@dataclass(frozen=True, slots=True)
class Word:
    """``text`` without its quotes; ``raw`` is ``line[start:start + len(raw)]``. ``open`` names what is not closed."""

    text: str
    raw: str
    start: int
    open: str = ""

    @property
    def end(self) -> int:
        return self.start + len(self.raw)

    def pair(self) -> tuple[str, str, bool] | None:
        """``name=value`` as name, value and whether the value was quoted; None for any other word."""
        name, equals, value = self.text.partition("=")
        if not equals or not name.isidentifier() or not self.raw.startswith(f"{name}="):
            return None
        return name, value, self.raw[len(name) + 1 :].startswith(('"', "'"))


def split(line: str) -> list[Word]:
    """The words of a whole line. Raises :class:`Refused` for a quote or bracket that is not closed."""
    words = scan(line)
    for word in words:
        if word.open:
            raise Refused(f"column {word.start + 1}: {word.open} is not closed in {word.raw}", kind="argument")
    return words


def scan(line: str) -> list[Word]:
    """The words of a line that may not be complete yet; only the last can be open."""
    words: list[Word] = []
    position = 0
    while position < len(line):
        if line[position].isspace():
            position += 1
        elif line[position] == "#":
            break
        else:
            words.append(_Scanner(line, position).word())
            position = words[-1].end
    return words


class _Scanner:
    """Reads one word."""

    def __init__(self, line: str, start: int) -> None:
        self._line = line
        self._start = self._at = start
        self._text: list[str] = []

    def word(self) -> Word:
        missing = ""
        while self._at < len(self._line) and not self._line[self._at].isspace() and not missing:
            missing = self._part(self._line[self._at])
        return Word("".join(self._text), self._line[self._start : self._at], self._start, missing)

    def _part(self, char: str) -> str:
        """Take what starts here; the name of what is not closed, or nothing."""
        if char in "\"'":
            return self._quoted(char)
        if char in _PARTNER and (not self._text or self._text[-1] == "="):
            return self._brackets()
        if char == "\\" and self._at + 1 < len(self._line):
            self._at += 1
        self._take()
        return ""

    def _take(self) -> None:
        self._text.append(self._line[self._at])
        self._at += 1

    def _quoted(self, quote: str) -> str:
        """Double quotes know ``\\"`` and ``\\\\``; single quotes take everything as it is."""
        self._at += 1
        while self._at < len(self._line):
            if self._line[self._at] == quote:
                self._at += 1
                return ""
            if quote == '"' and self._line[self._at : self._at + 2] in ('\\"', "\\\\"):
                self._at += 1
            self._take()
        return f"the quote {quote}"

    def _brackets(self) -> str:
        waiting: list[str] = []
        while self._at < len(self._line):
            char = self._line[self._at]
            if char == '"':
                if not self._json_string():
                    return 'the quote "'
                continue
            if char in _PARTNER:
                waiting.append(_PARTNER[char])
            elif waiting and char == waiting[-1]:
                waiting.pop()
            self._take()
            if not waiting:
                return ""
        return f"the bracket before {waiting[-1]}"

    def _json_string(self) -> bool:
        """Take a JSON string with its quotes; False when it does not end."""
        self._take()
        while self._at < len(self._line):
            char = self._line[self._at]
            if char == "\\" and self._at + 1 < len(self._line):
                self._take()
            self._take()
            if char == '"':
                return True
        return False
