"""Keys that sort by their time."""

from __future__ import annotations

import time
from threading import Event

from notifications.ids import uuid7


def test_a_key_is_a_uuid_of_version_7_with_the_time_in_it() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_keys_sort_in_the_order_they_were_made_and_never_meet() -> None:
    pause = Event()
    made = []
    for _ in range(50):
        made.append(uuid7())
        pause.wait(0.0001)
    assert made == sorted(made)
    assert len({uuid7() for _ in range(20_000)}) == 20_000
