"""
The settings of `exams`, each with its reason.

Contract: a field is set as `EXAMS_<NAME>` in the Django settings (which read the environment variable of the same
name); code reads it through `conf()`, which builds it on every call, so that tests can override. Wrong values are
found by `checks.py` at start.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from django.conf import settings


@dataclass(frozen=True, kw_only=True)
class ExamsConf:
    """Each field is set as `EXAMS_<NAME>`."""

    save_grace_seconds: int = 60  # a phone may be offline when the bell rings
    revision_ahead_seconds: int = 60  # a revision from the future would block every later edit until then
    ticket_seconds: int = 4 * 60 * 60  # longer than most exams; a lock or submit takes effect at once all the same
    body_max_bytes: int = 64 * 1024  # of one save; an essay has at most 30,000 characters
    bulk_body_max_bytes: int = 1024 * 1024  # of one save-answers, after an outage
    bulk_max_answers: int = 100
    save_queue_max_answers: int = 10_000  # about two seconds of the fastest machine we know
    save_queue_max_bytes: int = 64 * 1024 * 1024  # so that 10,000 essays do not fill the memory
    save_batch_max: int = 256  # larger batches gain nothing and hold locks longer
    save_wait_seconds: float = 8.0  # after which a waiting save is told to come again


def conf() -> ExamsConf:
    """The settings as they are now."""
    return ExamsConf(
        **{
            field.name: getattr(settings, f"EXAMS_{field.name.upper()}")
            for field in fields(ExamsConf)
            if hasattr(settings, f"EXAMS_{field.name.upper()}")
        }
    )
