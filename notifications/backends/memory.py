"""
Keeps messages instead of sending them: for tests of what uses the engine.

Contract: `outbox` holds every message that was taken, of all gateways of this process, in order; `script()` says what
becomes of the next ones, one `Result` each; `clear()` forgets both. Threads may use them at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from notifications.backends.base import BaseBackend, Message, Result
from notifications.outcomes import Outcome

outbox: list[Message] = []
_script: deque[Result] = deque()
_lock = threading.Lock()


def script(results: Iterable[Result]) -> None:
    """What becomes of the next messages; those after them are accepted."""
    with _lock:
        _script.clear()
        _script.extend(results)


def clear() -> None:
    """An empty outbox and no script."""
    with _lock:
        outbox.clear()
        _script.clear()


class MemoryBackend(BaseBackend):
    """Takes everything that the script does not speak of."""

    def send(self, message: Message) -> Result:
        with _lock:
            provider_id = f"memory-{message.notification_id}"
            result = _script.popleft() if _script else Result(outcome=Outcome.ACCEPTED, provider_id=provider_id)
            if result.outcome is Outcome.ACCEPTED:
                outbox.append(message)
            return result

    def probe(self) -> Result:
        return Result(outcome=Outcome.ACCEPTED)
