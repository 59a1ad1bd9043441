"""
The verbs of emergency files: keep one that was uploaded, apply what somebody has chosen from it.

Contract:
- Each verb is one transaction; when it returns, it is committed (`durable=True`).
- Only rows that are still as they were shown are applied, through `apply_in_submit`, which never puts an older answer
  over a newer one. So applying a file twice changes nothing the second time.
- A closed attempt is scored and signed anew, and has that many missing answers fewer. A running one (or one that is
  locked, because that is for staff to decide) just has the answers.
- What was changed, by whom, why, and the receipts before and after are in the attempt's history, in the same
  transaction. Nothing is written there where nothing was changed.
- The lock order of docs/explanation/saving.md: the attempt first (`FOR UPDATE`), then its answers.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from exams import attempts, papers
from exams.autosave.entries import Save
from exams.autosave.store import apply_in_submit
from exams.conf import conf
from exams.emergency import EmergencyFile, check_belongs
from exams.emergency_difference import Difference, Verdict, difference
from exams.models import Attempt, EmergencyUpload

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Application:
    """
    What became of it: how many answers were *applied*, and how many of the chosen ones were *left_out*, because the
    attempt has changed since they were shown.
    """

    attempt: Attempt
    applied: int
    left_out: int
    old_receipt: str


@transaction.atomic(durable=True)
def keep_upload(*, attempt_id: int, content: bytes, user_id: int) -> EmergencyUpload:
    """Keep *content*, a file that was opened and belongs to this attempt. The same bytes again are the same row."""
    upload, _created = EmergencyUpload.objects.get_or_create(
        attempt_id=attempt_id,
        digest=hashlib.sha256(content).hexdigest(),
        defaults={"content": content, "uploaded_by_id": user_id},
    )
    return upload


def compare(attempt: Attempt, file: EmergencyFile) -> list[Difference]:
    """What *file* would change in *attempt* now."""
    return difference(
        attempt,
        attempt.answers.order_by("question_id"),
        file,
        questions=papers.load(attempt.paper_id).by_id,
        now=attempts.database_now(),
        ahead_seconds=conf().revision_ahead_seconds,
    )


@transaction.atomic(durable=True)
def apply_file(*, file: EmergencyFile, chosen: Mapping[int, Verdict], reason: str, user_id: int) -> Application:
    """
    Apply the rows of *file* that are *chosen*: question id -> the verdict that was shown for it.

    *reason*: why, in the words of the staff user *user_id*; needed. Raises `OtherAttemptsFile` where the file does not
    belong to its attempt.
    """
    if not reason.strip():
        raise ValueError("an emergency file is applied for a reason")
    attempt = Attempt.objects.select_for_update(of=("self",)).select_related("student").get(pk=file.attempt_id)
    check_belongs(file, attempt)
    rows = [row for row in compare(attempt, file) if row.is_choosable and chosen.get(row.question_id) == row.verdict]
    saves = [Save(attempt.pk, row.question_id, row.revision, row.value) for row in rows if row.value is not None]
    old_receipt = attempt.receipt
    if saves:
        apply_in_submit(saves)
        if attempt.is_closed:
            attempt.missing_answers = max(0, attempt.missing_answers - len(saves))
            attempts.rescore(attempt)
        text = _history_entry(attempt, file, count=len(saves), reason=reason, old_receipt=old_receipt)
        LogEntry.objects.log_actions(user_id, [attempt], CHANGE, text)
        logger.info(
            "Emergency file applied",
            extra={"action": "emergency_file_applied", "attempt": attempt.pk, "answers": len(saves)},
        )
    return Application(attempt=attempt, applied=len(saves), left_out=len(chosen) - len(saves), old_receipt=old_receipt)


def _history_entry(attempt: Attempt, file: EmergencyFile, *, count: int, reason: str, old_receipt: str) -> str:
    text = _("Emergency file of %(made)s applied, answers changed: %(count)d. Reason: “%(reason)s”.") % {
        "made": _local(file.server_now),
        "count": count,
        "reason": reason.strip(),
    }
    if old_receipt:
        text += " " + _("Receipt: %(old)s, now %(new)s.") % {"old": old_receipt, "new": attempt.receipt}
    return text


def _local(moment: datetime) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")
