"""
Texts as GIFT writes them: escapes and formats.

Contract:
- `unescape()` and `take_format()` undo the notation; `unify()` brings all texts of a question into one format, with
  HTML sanitised, because a `QuestionContent` has one format for all its texts.
- No format means plain text: the student sees what the teacher typed, angle brackets included.

Not here: where in a question the texts stand (`gift_answers.py`).
"""

from __future__ import annotations

import re
from enum import StrEnum

from exams import richtext
from exams.content import TextFormat

_ESCAPE = re.compile(r"\\([~=#{}:n\\])")
_FORMAT = re.compile(r"\s*\[(html|markdown|plain|moodle)\]", re.IGNORECASE)
_PRE_OR_NEWLINE = re.compile(r"<(/?)pre\b|\n", re.IGNORECASE)


class GiftFormat(StrEnum):
    """The formats that GIFT names. *moodle* is HTML in which a line break is a line break."""

    HTML = "html"
    MARKDOWN = "markdown"
    PLAIN = "plain"
    MOODLE = "moodle"

    @property
    def text_format(self) -> TextFormat:
        """What the format becomes here."""
        return TextFormat.HTML if self is GiftFormat.MOODLE else TextFormat(self.value)


def unescape(raw: str) -> str:
    """Undo GIFT's escapes; a backslash before any other character stays, so that LaTeX and paths survive."""
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], raw)


def take_format(raw: str) -> tuple[GiftFormat | None, str]:
    """Split a leading `[html]`, `[markdown]`, `[plain]` or `[moodle]` off *raw*."""
    match = _FORMAT.match(raw)
    return (GiftFormat(match[1].lower()), raw[match.end() :]) if match else (None, raw)


def unify(raws: list[str], default: GiftFormat) -> tuple[TextFormat, list[str]]:
    """
    Give the format that all of *raws* can share, and each of them in it: unescaped, stripped, HTML sanitised.

    *default* holds for a text that names no format itself. Texts in different formats become HTML.
    """
    texts: list[tuple[GiftFormat, str]] = []
    for raw in raws:
        own, rest = take_format(raw)
        texts.append((own or default, unescape(rest).strip()))
    formats = {fmt.text_format for fmt, text in texts if text} or {default.text_format}
    if len(formats) == 1 and formats != {TextFormat.HTML}:
        return formats.pop(), [text for _, text in texts]
    return TextFormat.HTML, [_as_html(text, fmt) for fmt, text in texts]


def _as_html(text: str, fmt: GiftFormat) -> str:
    if fmt is GiftFormat.MOODLE:
        text = _with_line_breaks(text)
    return richtext.render(text, fmt.text_format).strip()


def _with_line_breaks(markup: str) -> str:
    """Turn line ends into `<br>`, except inside `<pre>`, where they count already."""
    open_pre = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal open_pre
        if match[0] == "\n":
            return "\n" if open_pre else "<br>\n"
        open_pre = max(0, open_pre + (-1 if match[1] else 1))
        return match[0]

    return _PRE_OR_NEWLINE.sub(replace, markup)
