"""Large JSON files element by element: annotation files of several gigabytes in a few megabytes of memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DatasetError

CHUNK = 1 << 20  # characters
LONGEST_TOKEN = 16  # characters; "-Infinity" and escapes are shorter: an error farther from the end is an error


def stream_json(path: Path) -> Iterator[tuple[str, Any]]:
    """Walk through ``{"key": [element, ...], ...}`` or ``[element, ...]`` without holding it.

    Yields:
        ``(key, element)`` for every element of every top-level array (key "" when the file itself is an array), and
        ``(key, value)`` for every other top-level value.

    Raises:
        DatasetError: the text is not JSON or UTF-8, ends too early, is neither an object nor an array, or nests too
            deeply.
    """
    with path.open(encoding="utf-8") as file:
        text = _Text(file, path)
        first = text.next()
        if first == "[":
            for element in text.elements():
                yield "", element
        elif first == "{":
            if text.peek() == "}":
                text.next()
            else:
                separator = ","
                while separator == ",":
                    key = text.value()
                    text.expect(":")
                    if text.peek() == "[":
                        text.next()
                        for element in text.elements():
                            yield key, element
                    else:
                        yield key, text.value()
                    separator = text.expect(",}")
        else:
            raise text.error("a JSON object or array", first)
        if text.peek():
            raise text.error("nothing after the end", text.peek())


class _Text:
    """A window on the file; everything before ``place`` is done with."""

    def __init__(self, file: Any, path: Path) -> None:
        self.file, self.path = file, path
        self.window, self.place, self.dropped = "", 0, 0
        self.decoder = json.JSONDecoder()

    def more(self, size: int = CHUNK) -> bool:
        try:
            chunk = self.file.read(size)
        except UnicodeDecodeError as error:
            raise DatasetError(f"{self.path}: the file must be text in UTF-8, got {error}") from error
        self.dropped += self.place
        self.window, self.place = self.window[self.place :] + chunk, 0
        return bool(chunk)

    def peek(self) -> str:
        """The next character that is not white space, "" at the end."""
        while True:
            while self.place < len(self.window):
                if not self.window[self.place].isspace():
                    return self.window[self.place]
                self.place += 1
            if not self.more():
                return ""

    def next(self) -> str:
        character = self.peek()
        self.place += 1
        return character

    def expect(self, allowed: str) -> str:
        character = self.next()
        if not character or character not in allowed:
            raise self.error(f"one of {allowed!r}", character)
        return character

    def value(self) -> Any:
        """One whole JSON value."""
        self.peek()
        size = CHUNK
        while True:
            try:
                value, end = self.decoder.raw_decode(self.window, self.place)
            except json.JSONDecodeError as error:
                unfinished = error.msg.startswith("Unterminated") or error.pos >= len(self.window) - LONGEST_TOKEN
                if not unfinished or not self.more(size):
                    raise self.error("a JSON value", self.window[self.place : self.place + 20]) from error
            except (RecursionError, ValueError) as error:  # nested too deeply; an integer of thousands of digits
                raise self.error("a value that Python reads", str(error)) from error
            else:
                length = end - self.place
                # A number near the end of the window may go on in the next chunk: "1" of "1.5", "1" of "1e-7".
                if end + LONGEST_TOKEN < len(self.window) or not self.more(size):
                    self.place += length
                    return value
            size *= 2  # a value larger than the window: read ever more, so that the attempts stay few

    def elements(self) -> Iterator[Any]:
        if self.peek() == "]":
            self.next()
            return
        separator = ","
        while separator == ",":
            yield self.value()
            separator = self.expect(",]")

    def error(self, expected: str, got: str) -> DatasetError:
        place = self.dropped + self.place
        return DatasetError(f"{self.path}: character {place}: the file must have {expected} here, got {got!r}")
