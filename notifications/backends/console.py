"""Prints instead of sending: the demo's gateway. The number is masked, as in every log."""

from __future__ import annotations

import sys

from notifications.backends.base import BaseBackend, Message, Result
from notifications.outcomes import Outcome
from notifications.receivers import mask


class ConsoleBackend(BaseBackend):
    """Takes everything."""

    def send(self, message: Message) -> Result:
        template = message.template
        text = message.text if template is None else f"{template.name}: {', '.join(template.parameters)}"
        lines = "".join(f"\n    {line}" for line in text.splitlines())
        # One write, so that the lines of two workers do not mix.
        sys.stdout.write(f"WhatsApp to {mask(message.receiver)}{lines}\n")
        sys.stdout.flush()
        return Result(outcome=Outcome.ACCEPTED, provider_id=f"console-{message.notification_id}", answer="printed")

    def probe(self) -> Result:
        return Result(outcome=Outcome.ACCEPTED)
