"""What travels on the save path: a save to be stored, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a save. DESIGN.md section 4 has the table of HTTP answers."""

    SAVED = "saved"
    ALREADY_SAVED = "already_saved"
    SUPERSEDED = "superseded"
    RATE_LIMITED = "rate_limited"
    CLOSED = "closed"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


class Save:
    """One save: whose, which question, which revision, and the value as JSON text. Made 10,000 times a second."""

    __slots__ = ("attempt", "key", "question", "revision", "value")

    def __init__(self, attempt: int, question: int, revision: int, value: bytes) -> None:
        self.attempt = attempt
        self.question = question
        self.revision = revision
        self.value = value
        #: What the rate limit and the answer's row are about.
        self.key = (attempt, question)

    @property
    def identity(self) -> tuple[int, int, int]:
        """What makes two sendings the same save."""
        return self.attempt, self.question, self.revision

    @property
    def size(self) -> int:
        """Bytes in memory, about: what the queue's bound counts."""
        return len(self.value) + 200


@dataclass(frozen=True, slots=True)
class SaveResult:
    """
    What the database said.

    revision and saved_at are the stored ones (saved, already_saved, superseded); *stored* is the stored value as JSON
    for superseded; *retry_after_seconds* for rate_limited; *attempt_status* for closed.
    """

    outcome: Outcome
    revision: int = 0
    saved_at: datetime | None = None
    stored: bytes = b""
    retry_after_seconds: float = 0
    attempt_status: str = ""


UNAVAILABLE = SaveResult(Outcome.UNAVAILABLE)
REFUSED = SaveResult(Outcome.REFUSED)
