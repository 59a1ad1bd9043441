"""
`python -m bench.peers.naive.prepare FILE`: make the tables and the attempts of FILE, print a token for each.

FILE is JSON: {"exam": id, "attempts": [id, …]}. The last line that is printed is a JSON list of tokens.
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import django
import jwt

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.peers.naive.settings")
django.setup()

from django.conf import settings  # noqa: E402 - after the setup
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench.peers.naive.models import Attempt  # noqa: E402


def main(file: Path) -> None:
    wanted = json.loads(file.read_text())
    call_command("migrate", verbosity=0)
    deadline_at = timezone.now() + timedelta(days=1)
    Attempt.objects.bulk_create(
        Attempt(pk=attempt_id, exam_id=wanted["exam"], deadline_at=deadline_at) for attempt_id in wanted["attempts"]
    )
    claims = {"exp": int(deadline_at.timestamp())}
    tokens = [
        jwt.encode(claims | {"attempt": attempt_id}, settings.SECRET_KEY, algorithm="HS256")
        for attempt_id in wanted["attempts"]
    ]
    print(json.dumps(tokens))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
