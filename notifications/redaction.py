"""
What may be kept of a gateway's answer: 500 characters without numbers, message texts, names and tokens.

Contract of `redacted(answer, texts=…, secrets=…)`:
- Any run of nine digits or more (spaces, dots, hyphens and a plus between them allowed) becomes `62812****789`.
  Shorter ones stay: they are error codes and gateways' own ids.
- Pieces of the *texts* that were sent, twelve characters or longer, become `[text]`, wherever and however much of them
  the gateway repeats; shorter texts where they appear whole.
- The *secrets* become `[secret]`, and so does what stands under a name like "token" in a JSON answer.
- Under names that hold people's words ("conversation", "pushName" …) nothing is kept.

The weak spot: a gateway that repeats a text in another writing (Base64, HTML entities) gets it past this. The 500
characters are the bound of what that can be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from notifications.receivers import mask

KEPT_CHARACTERS = 500
#: Of an answer. What lies beyond it would be cut off anyhow, but for what masking makes shorter.
_LOOKED_AT = 16 * 1024
_PIECE = 12

_NUMBER = re.compile(r"(?<![0-9A-Za-z])\+?\d(?:[ .()\-\u00a0]{0,2}\d){8,}|\d{9,}")
#: Meta's ids hold the number in Base64; the id has a column of its own.
_META_ID = re.compile(r"wamid\.[\w+/=-]+")
#: Names under which gateways repeat what somebody wrote, or what somebody is called.
_WORDS_OF_PEOPLE = {"text", "body", "caption", "conversation", "pushname", "verifiedname", "notify", "fullname"}
_NAMES_OF_SECRETS = re.compile(r"token|secret|password|api[-_]?key|authorization|credential", re.IGNORECASE)


def redacted(answer: str, *, texts: Sequence[str] = (), secrets: Iterable[str] = ()) -> str:
    """What may be stored of *answer*, at most 500 characters. See the module's contract."""
    hidden = _hiders(texts, secrets)
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict | list):
        # Cleaned piece by piece: in the raw text, escapes like é would hide the words from the search.
        answer = json.dumps(_cleaned(found, hidden, 0), ensure_ascii=False, separators=(",", ":"))
    else:
        answer = hidden(answer[:_LOOKED_AT])
    answer = "".join(character if character.isprintable() else " " for character in answer)
    return answer if len(answer) <= KEPT_CHARACTERS else answer[: KEPT_CHARACTERS - 1] + "…"


class _hiders:  # noqa: N801 - used as a function that remembers its preparation
    """Hides secrets, texts and numbers in one string."""

    def __init__(self, texts: Sequence[str], secrets: Iterable[str]) -> None:
        # The longest first: a secret may be the beginning of another one.
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._short = sorted({text for text in texts if 0 < len(text.strip()) < _PIECE}, key=len, reverse=True)
        self._pieces = {text[at : at + _PIECE] for text in texts for at in range(len(text) - _PIECE + 1)}

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        text = self._without_pieces(text)
        for short in self._short:
            # A word of three letters would tear every sentence of the gateway's apart; whole, it is the message.
            text = re.sub(rf"(?<!\w){re.escape(short)}(?!\w)", "[text]", text)
        return _NUMBER.sub(_masked, _META_ID.sub("wamid.[id]", text))

    def _without_pieces(self, text: str) -> str:
        if not self._pieces:
            return text
        kept: list[str] = []
        hidden_until = at = 0
        while at < len(text):
            if text[at : at + _PIECE] in self._pieces:
                if hidden_until <= at and (not kept or kept[-1] != "[text]"):
                    kept.append("[text]")
                hidden_until = at + _PIECE
            if at >= hidden_until:
                kept.append(text[at])
            at += 1
        return "".join(kept)


def _masked(found: re.Match[str]) -> str:
    return mask("".join(character for character in found.group() if character.isdecimal()))


def _cleaned(value: Any, hidden: _hiders, depth: int) -> Any:
    if depth > 20:
        return "[…]"
    if isinstance(value, dict):
        return {hidden(name): _under(name, inner, hidden, depth) for name, inner in list(value.items())[:200]}
    if isinstance(value, list):
        return [_cleaned(inner, hidden, depth + 1) for inner in value[:50]]
    if isinstance(value, str):
        return hidden(value[:_LOOKED_AT])
    if isinstance(value, int | float) and not isinstance(value, bool) and len(str(value)) > 8:
        return hidden(str(value))  # Wablas gives the phone as a number
    return value


def _under(name: str, value: Any, hidden: _hiders, depth: int) -> Any:
    if isinstance(value, str) and value:
        if _NAMES_OF_SECRETS.search(name):
            # "token invalid" under "token" would be lost; no gateway we know of says it there.
            return "[secret]"
        if name.lower() in _WORDS_OF_PEOPLE:
            return "[text]"
    return _cleaned(value, hidden, depth + 1)
