"""
The bodies of the autosave endpoints: what comes in, what goes out.

These structs are the contract in code; `exams/openapi.py` makes the OpenAPI description from the same ones.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

#: JavaScript's numbers are exact up to here.
REVISION_MAX = 2**53 - 1

AckStatus = Literal["saved", "already_saved", "superseded"]
Id = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Revision = Annotated[int, msgspec.Meta(ge=1, le=REVISION_MAX)]


class SaveRequest(msgspec.Struct, frozen=True, rename="camel"):
    """One answer. Without a revision the server's clock is taken."""

    question_id: Id
    answer: Any
    revision: Revision | None = None
    question_type: str | None = None


class SaveManyRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Up to 100 answers after an outage. Each is judged for itself, so that one that is wrong spoils no other."""

    answers: list[msgspec.Raw]


class SaveReply(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An acknowledgement: the row of *revision* is committed. *answer* is the stored one where another was newer."""

    success: bool
    status: AckStatus
    revision: int
    saved_at: datetime
    server_now: int
    next_save_ms: int
    answer: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class SaveResultReply(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One outcome of a `save-answers`; *code* and *message* where *success* is false."""

    question_id: int | None
    success: bool
    status: AckStatus | msgspec.UnsetType = msgspec.UNSET
    revision: int | msgspec.UnsetType = msgspec.UNSET
    saved_at: datetime | msgspec.UnsetType = msgspec.UNSET
    answer: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: str | msgspec.UnsetType = msgspec.UNSET
    message: str | msgspec.UnsetType = msgspec.UNSET
    retry_after_ms: int | msgspec.UnsetType = msgspec.UNSET
    field: str | msgspec.UnsetType = msgspec.UNSET
    reason: str | msgspec.UnsetType = msgspec.UNSET


class SaveManyReply(msgspec.Struct, frozen=True, rename="camel"):
    success: bool
    results: list[SaveResultReply]
    server_now: int
    next_save_ms: int
