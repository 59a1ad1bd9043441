"""
Reading a question bank: from a file to questions, whatever the format.

Contract:
- `read_bank()` gives a file's text whatever editor saved it, or raises `ImportFormatError`; it never guesses silently
  at a file that is no text.
- `parse()` gives every question that can be used and names every one that cannot; it raises `ImportFormatError` only
  where the format cannot be told or the text has too many lines, and takes time in proportion to the text's length.

A new format is one file with two functions and a line in `_PARSERS`:
- `parse(text) -> ImportResult` raises nothing and asks `problems()` about every question before it gives it back;
  *text* has "\\n" line ends and no byte order mark.
- `count_signs(text) -> int` counts what only this format has (an `ANSWER:` line, say), so that a format can be told.

Not here: storing anything (the command `import_questions`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from exams.importers import aiken, gift
from exams.importers.result import BadQuestion, ImportedQuestion, ImportFormatError, ImportResult

__all__ = [
    "MAX_BANK_BYTES",
    "MAX_BANK_LINES",
    "BadQuestion",
    "ImportFormatError",
    "ImportResult",
    "ImportedQuestion",
    "detect_format",
    "parse",
    "read_bank",
]

#: The largest bank seen in the wild has a few MiB; more than this is a video or a backup by mistake.
MAX_BANK_BYTES = 20 * 1024 * 1024
#: 20 MiB of ordinary questions have fewer; 20 MiB of line ends would fill the memory with empty lines.
MAX_BANK_LINES = 1_000_000

Format = Literal["gift", "aiken"]


class _Parser(NamedTuple):
    parse: Callable[[str], ImportResult]
    count_signs: Callable[[str], int]


_PARSERS: dict[Format, _Parser] = {
    "gift": _Parser(gift.parse, gift.count_signs),
    "aiken": _Parser(aiken.parse, aiken.count_signs),
}


def read_bank(path: Path) -> str:
    """Give the text of the bank at *path*, with "\\n" line ends. Raise `ImportFormatError` if it is not a text."""
    with path.open("rb") as file:
        raw = file.read(MAX_BANK_BYTES + 1)
    if len(raw) > MAX_BANK_BYTES:
        raise ImportFormatError(f"{path.name} is larger than {MAX_BANK_BYTES // 1024 // 1024} MiB.")
    return _with_newlines(_decode(raw, name=path.name))


def detect_format(text: str) -> Format:
    """Say which format *text* is written in. Raise `ImportFormatError` if it looks like none."""
    signs = {fmt: parser.count_signs(text) for fmt, parser in _PARSERS.items()}
    best = max(signs, key=lambda fmt: signs[fmt])
    if signs[best]:
        return best
    if text.lstrip("\ufeff \t\r\n").startswith(("<?xml", "<quiz")):
        raise ImportFormatError("This looks like Moodle XML, which is not understood; export the questions as GIFT.")
    raise ImportFormatError(
        "This is neither GIFT (answers in {…}) nor Aiken (a line “ANSWER: A” below each question). "
        "If it is one of them all the same, name the format."
    )


def parse(text: str, fmt: Literal["auto", "gift", "aiken"] = "auto") -> ImportResult:
    """Read all questions in *text*. Raise `ImportFormatError` as the module's contract says."""
    text = _with_newlines(text.removeprefix("\ufeff"))
    if text.count("\n") > MAX_BANK_LINES:
        raise ImportFormatError(f"The file has more than {MAX_BANK_LINES:,} lines.")
    return _PARSERS[detect_format(text) if fmt == "auto" else fmt].parse(text)


def _with_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode(raw: bytes, *, name: str) -> str:
    encoding = "utf-8-sig"
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\x00" in raw[:4096]:
        raise ImportFormatError(f"{name} is not a text file (a Word document?). Save it as plain text, UTF-8.")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as exc:
        if encoding == "utf-16":
            raise ImportFormatError(f"{name} begins like UTF-16 text but is damaged. Save it as UTF-8.") from exc
    # Notepad before 2019 saved "ANSI", which is cp1252 in Indonesia; it has no character for five of the bytes.
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise ImportFormatError(f"{name}, line {line}: this is not UTF-8 text. Save the file as UTF-8.") from exc
