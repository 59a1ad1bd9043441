"""What the worker calls, by dotted name."""

from __future__ import annotations

import logging

from exams import attempts

logger = logging.getLogger(__name__)


def close_expired() -> None:
    """Close and score attempts whose time is over; each minute. What is left when it is cut off is closed next time."""
    if closed := attempts.close_expired():
        logger.info("%s attempts closed", closed, extra={"action": "attempts_expired"})
