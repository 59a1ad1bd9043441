"""
Tell the parents of a class about an exam: its results, that it is coming, that a student was absent.

Contract:
- `plan()` says who would get what, and why others get nothing; it writes nothing. `send()` queues exactly that.
- One message per exam, student and kind, whatever happens: two clicks, two tabs, two teachers. Who got one before is
  counted and not written to again; a failed one is sent again from the list of failed messages.
- Results are told only where the score is final: handed in or expired, and no essay waits for a teacher.
- A reminder expires when the exam closes: a phone that is on again next week must not ring with it.
- Texts are in Indonesian, which is what parents read, whatever language the teacher's pages have.

Here and not in an app, because exams know nothing of messages and messages nothing of exams.

Not here: sending (`notifications.delivery`), the pages (`notify_admin.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice

from django.db import models
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from exams import attempts
from exams.models import Attempt, Exam, Student
from notifications import delivery
from notifications.conf import conf
from notifications.exceptions import BadReceiver
from notifications.models import Notification, State
from notifications.receivers import normalise

#: Longer than any letter of a school; WhatsApp itself ends at 4,096 characters.
TEXT_MAX = 2_000
_BATCH = 500
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class Kind(models.TextChoices):
    """What is told."""

    RESULTS = "results", gettext_lazy("results")
    REMIND = "remind", gettext_lazy("reminder")
    ABSENT = "absent", gettext_lazy("absent")


#: What a teacher finds in the field and may change.
TEXTS: Mapping[Kind, str] = {
    Kind.RESULTS: (
        "Yth. orang tua/wali {nama} (kelas {kelas}),\n"
        "nilai {ujian}: {nilai} dari {nilai_maksimum}.\n"
        "Terima kasih atas perhatiannya."
    ),
    Kind.REMIND: (
        "Yth. orang tua/wali {nama} (kelas {kelas}),\n"
        "{ujian} dibuka {waktu} dan ditutup {tutup}. Lama pengerjaan {durasi} menit.\n"
        "Mohon pastikan ananda siap dan membawa kartu ujiannya."
    ),
    Kind.ABSENT: (
        "Yth. orang tua/wali {nama} (kelas {kelas}),\n"
        "ananda tidak mengikuti {ujian} ({waktu}).\n"
        "Mohon hubungi wali kelas."
    ),
}
_ALWAYS = ("nama", "kelas", "ujian", "waktu", "tutup", "durasi")
PLACEHOLDERS: Mapping[Kind, tuple[str, ...]] = {
    Kind.RESULTS: (*_ALWAYS, "nilai", "nilai_maksimum"),
    Kind.REMIND: _ALWAYS,
    Kind.ABSENT: _ALWAYS,
}


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One message as its reader will see it. *receiver* in digits."""

    student: Student
    receiver: str
    text: str
    dedupe_key: str


@dataclass(frozen=True, kw_only=True)
class Unreachable:
    """A student whose parents have no number that a message could go to."""

    student: Student
    reason: str | Promise


@dataclass(frozen=True, kw_only=True)
class Plan:
    """
    What pressing the button would do.

    *obstacle*: why nothing can be sent now, else empty; then there are no letters. *sent_before*: how many got this
    kind already. *not_final*: attempts whose result cannot be told yet.
    """

    letters: list[Letter] = field(default_factory=list)
    unreachable: list[Unreachable] = field(default_factory=list)
    sent_before: int = 0
    not_final: int = 0
    obstacle: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the messages of one kind are; together they are *total*."""

    kind: Kind
    topic: str
    waiting: int
    sent: int
    delivered: int
    failed: int
    dropped: int

    @property
    def total(self) -> int:
        return self.waiting + self.sent + self.delivered + self.failed + self.dropped


def topic_of(exam: Exam, kind: Kind) -> str:
    return f"exam:{exam.pk}:{kind}"


def _dedupe_key(exam: Exam, kind: Kind, student: Student) -> str:
    return f"{topic_of(exam, kind)}:{student.pk}"


# -- texts ---------------------------------------------------------------------------------------------------------


def problems_of(text: str, kind: Kind) -> list[str]:
    """What is wrong with the template *text*, in sentences; a stray brace would otherwise be read by every parent."""
    known = PLACEHOLDERS[kind]
    unknown = [name for name in _PLACEHOLDER.findall(text) if name not in known]
    listed = " ".join(f"{{{name}}}" for name in known)
    found = [
        _("{%(name)s} is not known here. There are: %(listed)s") % {"name": name, "listed": listed} for name in unknown
    ]
    if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        found.append(_("A brace is left over. Write placeholders like {nama}."))
    return found


def _filled(text: str, values: Mapping[str, str]) -> str:
    """In one go, so that a name with braces in it is not taken for a placeholder."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def _values(exam: Exam) -> dict[str, str]:
    with override("id"):
        return {
            "ujian": exam.title,
            "waktu": _moment(exam.opens_at),
            "tutup": _moment(exam.closes_at),
            "durasi": str(exam.duration_minutes),
        }


def _moment(moment: datetime) -> str:
    """`Senin, 3 Agustus 2026 pukul 08.00 WIB`; the language is the active one."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'l, j F Y')} pukul {local:%H.%M} {local.tzname()}"


def _number(points: Decimal | None) -> str:
    """`7,5` for 7.50, as it is written in Indonesia."""
    return f"{(points or Decimal(0)).normalize():f}".replace(".", ",")


# -- who -----------------------------------------------------------------------------------------------------------


def classes_of(exam: Exam) -> list[tuple[str, bool]]:
    """Every class with active students, and whether somebody in it has started *exam*: nobody else says whose it is."""
    counted = (
        Student.objects.filter(is_active=True)
        .order_by("class_name")
        .values("class_name")
        .annotate(started=Count("pk", filter=Q(attempts__exam=exam)))
    )
    return [(row["class_name"], row["started"] > 0) for row in counted]


def plan(*, exam: Exam, kind: Kind, text: str, classes: Collection[str]) -> Plan:
    """Who of *classes* would get *text*, a template without problems. See the module's contract."""
    obstacle = _obstacle(exam, kind)
    if obstacle:
        return Plan(obstacle=obstacle)
    common = _values(exam)
    written = set(
        Notification.objects.filter(topic=topic_of(exam, kind), dedupe_key__isnull=False).values_list(
            "dedupe_key", flat=True
        )
    )
    letters, unreachable, sent_before = [], [], 0
    for student, scores in _readers(exam, kind, classes):
        key = _dedupe_key(exam, kind, student)
        if key in written:
            sent_before += 1
            continue
        try:
            receiver = normalise(student.parent_phone, conf().region)
        except BadReceiver as exc:
            unreachable.append(Unreachable(student=student, reason=exc.message))
            continue
        values = {**common, **scores, "nama": student.name, "kelas": student.class_name or "-"}
        letters.append(Letter(student=student, receiver=receiver, text=_filled(text, values), dedupe_key=key))
    return Plan(
        letters=letters,
        unreachable=unreachable,
        sent_before=sent_before,
        not_final=_final(exam, classes, is_final=False).count() if kind is Kind.RESULTS else 0,
    )


def _obstacle(exam: Exam, kind: Kind) -> str:
    if exam.status == Exam.Status.DRAFT:
        return _("The exam is a draft: publish it first.")
    is_over = exam.status == Exam.Status.CLOSED or exam.closes_at <= attempts.database_now()
    if kind is Kind.REMIND and is_over:
        return _("The exam is over: there is nothing to remind of.")
    if kind is Kind.ABSENT and not is_over:
        return _("The exam is still open: who has not started yet may still come.")
    return ""


def _final(exam: Exam, classes: Collection[str], *, is_final: bool) -> QuerySet[Attempt]:
    """The attempts whose result may be told, or the others; `Attempt.is_final` in SQL."""
    final = Q(status__in=[Attempt.Status.SUBMITTED, Attempt.Status.EXPIRED], ungraded_essays=0)
    return exam.attempts.filter(final if is_final else ~final, student__class_name__in=classes)


def _readers(exam: Exam, kind: Kind, classes: Collection[str]) -> Iterator[tuple[Student, dict[str, str]]]:
    """The students that *kind* is about, with what only their letters say, by class and name."""
    if kind is Kind.RESULTS:
        final = _final(exam, classes, is_final=True).select_related("student")
        for attempt in final.order_by("student__class_name", "student__name", "pk"):
            yield attempt.student, {"nilai": _number(attempt.score), "nilai_maksimum": _number(attempt.max_score)}
    else:
        # Who has started is neither absent nor in need of a reminder.
        idle = Student.objects.filter(is_active=True, class_name__in=classes).exclude(attempts__exam=exam)
        for student in idle.order_by("class_name", "name", "pk"):
            yield student, {}


# -- sending and watching ------------------------------------------------------------------------------------------


def send(*, exam: Exam, kind: Kind, plan: Plan) -> int:
    """Queue the letters of *plan*; returns how many are new. Those that somebody else has queued since are left out."""
    rows = (
        delivery.NewMessage(
            receiver=letter.receiver,
            message=letter.text,
            dedupe_key=letter.dedupe_key,
            topic=topic_of(exam, kind),
            expires_at=exam.closes_at if kind is Kind.REMIND else None,
        )
        for letter in plan.letters
    )
    queued = 0
    # Each batch commits by itself: what was queued before a broken connection is not queued again by the next click.
    while batch := list(islice(rows, _BATCH)):
        queued += delivery.enqueue_many(batch).queued
    return queued


def progress_of(exam: Exam) -> list[Progress]:
    """One for each kind that anything was sent of."""
    # A failure that was sent again is told by the message that it was sent again as.
    newest = Notification.objects.exclude(state=State.FAILED, failed_row__retried=True)
    states = (
        newest.filter(topic__in=[topic_of(exam, kind) for kind in Kind])
        .order_by()
        .values("topic")
        .annotate(
            sent=Count("pk", filter=Q(state=State.SENT)),
            delivered=Count("pk", filter=Q(state__in=[State.DELIVERED, State.READ])),
            failed=Count("pk", filter=Q(state=State.FAILED)),
            dropped=Count("pk", filter=Q(state__in=[State.CANCELLED, State.EXPIRED])),
            total=Count("pk"),
        )
    )
    rows = {row["topic"]: row for row in states}
    return [
        Progress(
            kind=kind,
            topic=topic_of(exam, kind),
            waiting=row["total"] - row["sent"] - row["delivered"] - row["failed"] - row["dropped"],
            sent=row["sent"],
            delivered=row["delivered"],
            failed=row["failed"],
            dropped=row["dropped"],
        )
        for kind in Kind
        if (row := rows.get(topic_of(exam, kind)))
    ]
