"""The one statement, on PostgreSQL: revisions in any order, the 2 s of the row, and what is never stored."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exams import attempts
from exams.autosave.entries import Outcome, Save, SaveResult
from exams.autosave.paper_rules import PaperRules
from exams.autosave.save_queue import SaveQueue
from exams.autosave.store import AnswerStore, DatabaseAway, SaveRefused, connection_arguments
from exams.exceptions import BadTicket, SavingUnavailable
from exams.models import Answer, Attempt, Paper
from tests.exams.autosave.sitting import sit_down
from tests.exams.factories import make_attempt

pytestmark = pytest.mark.django_db(transaction=True)


def with_store(test: Callable[[AnswerStore], Coroutine[Any, Any, Any]], **overrides: Any) -> Any:
    async def run() -> Any:
        store = AnswerStore(connection_arguments() | overrides, grace_seconds=60, gap_seconds=2)
        try:
            return await test(store)
        finally:
            await store.close()

    return asyncio.run(run())


def save_now(*saves: Save) -> list[SaveResult | None]:
    return with_store(lambda store: store.save(saves))


def outcomes(results: Sequence[SaveResult | None]) -> list[Outcome | None]:
    return [None if result is None else result.outcome for result in results]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals=st.permutations(range(1, 7)))
def test_the_highest_revision_wins_in_any_order(arrivals: list[int]) -> None:
    sitting = sit_down()

    async def send_all(store: AnswerStore) -> None:
        for revision in arrivals:
            [result] = await store.save([Save(sitting.attempt.pk, sitting.questions[0], revision, b'"r%d"' % revision)])
            assert result is not None
            highest = max(arrivals[: arrivals.index(revision) + 1])
            assert result.revision == highest
            assert result.outcome is (Outcome.SAVED if revision == highest else Outcome.SUPERSEDED)
            await make_old(sitting.attempt)

    with_store(send_all)
    answer = sitting.attempt.answers.get()
    assert (answer.revision, answer.value) == (6, "r6")


async def make_old(attempt: Attempt) -> None:
    def update() -> None:
        attempt.answers.update(saved_at=attempts.database_now() - timedelta(seconds=3))
        connection.close()

    await asyncio.to_thread(update)


def test_within_two_seconds_of_the_stored_save_only_its_own_resend_is_acknowledged() -> None:
    sitting = sit_down()
    key = (sitting.attempt.pk, sitting.questions[0])
    assert outcomes(save_now(Save(*key, 100, b'"a"'))) == [Outcome.SAVED]
    assert outcomes(save_now(Save(*key, 100, b'"a"'))) == [Outcome.ALREADY_SAVED]
    assert outcomes(save_now(Save(*key, 100, b'"b"'))) == [Outcome.SUPERSEDED]
    [newer] = save_now(Save(*key, 101, b'"b"'))
    [older] = save_now(Save(*key, 99, b'"b"'))
    for result in (newer, older):
        assert result is not None
        assert result.outcome is Outcome.RATE_LIMITED
        assert 0 < result.retry_after_seconds <= 2


@pytest.mark.parametrize(
    ("age", "expected"), [(1.9, Outcome.RATE_LIMITED), (2.0, Outcome.SAVED), (-3600, Outcome.SAVED)]
)
def test_the_edge_of_the_two_seconds(age: float, expected: Outcome) -> None:
    sitting = sit_down()
    key = (sitting.attempt.pk, sitting.questions[0])
    save_now(Save(*key, 100, b'"a"'))
    sitting.attempt.answers.update(saved_at=attempts.database_now() - timedelta(seconds=age))
    assert outcomes(save_now(Save(*key, 101, b'"b"'))) == [expected]


@pytest.mark.parametrize(
    ("columns", "status"),
    [
        ({"status": "locked"}, "locked"),
        ({"status": "submitted"}, "submitted"),
        ({"status": "expired"}, "expired"),
    ],
)
def test_a_closed_attempt_takes_nothing_and_says_which_end_it_had(columns: dict[str, Any], status: str) -> None:
    sitting = sit_down(**columns)
    [result] = save_now(Save(sitting.attempt.pk, sitting.questions[0], 1, b'"a"'))
    assert result == SaveResult(Outcome.CLOSED, attempt_status=status)
    assert not Answer.objects.exists()


@pytest.mark.parametrize(("seconds_left", "expected"), [(-59, Outcome.SAVED), (-61, Outcome.CLOSED)])
def test_saves_land_within_the_grace_after_the_deadline_and_not_after_it(seconds_left: int, expected: Outcome) -> None:
    now = attempts.database_now()
    sitting = sit_down(started_at=now - timedelta(hours=1), deadline_at=now + timedelta(seconds=seconds_left))
    assert outcomes(save_now(Save(sitting.attempt.pk, sitting.questions[0], 1, b'"a"'))) == [expected]


def test_an_attempt_that_does_not_exist_is_closed_and_its_neighbour_is_saved() -> None:
    sitting = sit_down()
    question = sitting.questions[0]
    results = save_now(Save(10**9, question, 1, b'"a"'), Save(sitting.attempt.pk, question, 1, b'"a"'))
    assert outcomes(results) == [Outcome.CLOSED, Outcome.SAVED]


def test_a_batch_that_the_database_refuses_stores_nothing_of_it() -> None:
    sitting = sit_down()
    good = Save(sitting.attempt.pk, sitting.questions[0], 1, b'"a"')
    unknown_question = Save(sitting.attempt.pk, 10**9, 1, b'"a"')
    with pytest.raises(SaveRefused):
        save_now(good, unknown_question)
    assert not Answer.objects.exists()
    with pytest.raises(SaveRefused):
        save_now(Save(sitting.attempt.pk, sitting.questions[0], 1, b'"\\u0000"'))


def test_a_locked_attempt_is_skipped_and_its_neighbours_are_not_delayed() -> None:
    held, free = sit_down(), sit_down()
    with transaction.atomic():
        Attempt.objects.select_for_update().get(pk=held.attempt.pk)
        results = save_now(
            Save(held.attempt.pk, held.questions[0], 1, b'"a"'), Save(free.attempt.pk, free.questions[0], 1, b'"a"')
        )
    assert outcomes(results) == [None, Outcome.SAVED]


def test_two_stores_that_save_the_same_hundred_questions_in_opposite_order_do_not_deadlock() -> None:
    sitting = sit_down(["multiple_choice"] * 10)
    keys = [(make_attempt(sitting.attempt.exam).pk, question) for question in sitting.questions for _ in range(2)]

    async def both_ways(store: AnswerStore) -> tuple[list[SaveResult | None], list[SaveResult | None]]:
        other = AnswerStore(connection_arguments(), grace_seconds=60, gap_seconds=2)
        try:
            return await asyncio.gather(
                store.save([Save(*key, 1, b'"a"') for key in keys]),
                other.save([Save(*key, 2, b'"b"') for key in reversed(keys)]),
            )
        finally:
            await other.close()

    first, second = with_store(both_ways)
    assert sum(r.outcome is Outcome.SAVED for r in [*first, *second]) == len(keys)
    assert Answer.objects.count() == len(keys)


def test_a_database_that_refuses_connections_is_away_and_not_an_error_of_the_save(tmp_path: Any) -> None:
    async def try_to_save(store: AnswerStore) -> None:
        with pytest.raises(DatabaseAway):
            await store.save([Save(1, 1, 1, b'"a"')])
        assert store.connection.is_away

    with_store(try_to_save, host=str(tmp_path))


def test_a_connection_that_was_ended_by_the_server_is_replaced_without_anyone_noticing() -> None:
    sitting = sit_down()

    async def save_across_a_cut(store: AnswerStore) -> None:
        key = (sitting.attempt.pk, sitting.questions[0])
        assert outcomes(await store.save([Save(*key, 1, b'"a"')])) == [Outcome.SAVED]
        await asyncio.to_thread(cut)
        assert outcomes(await store.save([Save(*key, 1, b'"a"')])) == [Outcome.ALREADY_SAVED]

    def cut() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'tahan-uji saves' AND datname = current_database() AND state = 'idle'"
            )
        connection.close()

    with_store(save_across_a_cut)


def test_a_refused_save_is_logged_without_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    sitting = sit_down()

    async def put(store: AnswerStore) -> SaveResult:
        queue = SaveQueue(store.save, max_answers=10, max_bytes=10**6, batch_max=5, wait_seconds=1)
        return await queue.put(Save(sitting.attempt.pk, 10**9, 1, b'"a very private answer"'))

    assert with_store(put).outcome is Outcome.REFUSED
    assert f"Save of attempt {sitting.attempt.pk}" in caplog.text
    assert "SaveRefused from ForeignKeyViolation" in caplog.text
    assert "private" not in caplog.text


def test_a_class_that_starts_together_fetches_its_paper_once_and_shares_a_failure() -> None:
    sitting = sit_down()

    async def ask(store: AnswerStore) -> None:
        fetched = []
        fetch = store.connection.fetch

        async def counting_fetch(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
            fetched.append(parameters)
            return await fetch(sql, parameters)

        store.connection.fetch = counting_fetch  # type: ignore[method-assign]
        rules = PaperRules(store.connection)
        found = await asyncio.gather(*(rules.get(sitting.exam_id, version) for _ in range(50)))
        assert all(sitting.questions[0] in known for known in found)
        assert len(fetched) == 1
        failed = await asyncio.gather(*(rules.get(sitting.exam_id, 99) for _ in range(50)), return_exceptions=True)
        assert {type(failure) for failure in failed} == {BadTicket}
        assert len(fetched) == 2
        assert rules.cached(sitting.exam_id, 99) is None

    version = sitting.attempt.paper.version
    with_store(ask)


def test_points_that_a_teacher_gave_to_an_answer_do_not_pass_to_the_one_that_replaces_it() -> None:
    sitting = sit_down(["essay"])
    save_now(Save(sitting.attempt.pk, sitting.questions[0], 1, b'"short"'))
    answer = sitting.attempt.answers.get()
    attempts.grade_answer(answer_id=answer.pk, points=Decimal(4))
    sitting.attempt.answers.update(saved_at=attempts.database_now() - timedelta(seconds=3))
    save_now(Save(sitting.attempt.pk, sitting.questions[0], 2, b'"longer"'))
    answer.refresh_from_db()
    assert (answer.value, answer.points) == ("longer", None)


def test_a_batch_that_waited_for_row_after_row_judges_the_last_one_by_the_time_when_it_got_it() -> None:
    """Each wait is within the lock time-out, all together last longer than 2 s: a clock read before is too old."""
    sitting = sit_down(["multiple_choice"] * 3)
    keys = [(sitting.attempt.pk, question) for question in sorted(sitting.questions)]
    save_now(*(Save(*key, 1, b'"jkrt"') for key in keys))
    sitting.attempt.answers.update(saved_at=attempts.database_now() - timedelta(seconds=60))
    are_held, begun = threading.Barrier(len(keys) + 1), threading.Event()

    def hold(number: int, question: int) -> None:
        """Another writer, that holds the row and saves at the end."""
        try:
            with transaction.atomic():
                sitting.attempt.answers.select_for_update().get(question=question)
                are_held.wait(10)
                begun.wait(10)
                threading.Event().wait(0.8 * (number + 1))  # the point of the test: a lock that lasts
                sitting.attempt.answers.filter(question=question).update(saved_at=attempts.database_now(), revision=2)
        finally:
            connection.close()

    holders = [threading.Thread(target=hold, args=(number, key[1])) for number, key in enumerate(keys)]
    for holder in holders:
        holder.start()
    are_held.wait(10)
    begun.set()
    results = save_now(*(Save(*key, 3, b'"bndg"') for key in keys))
    for holder in holders:
        holder.join()
    assert outcomes(results) == [Outcome.RATE_LIMITED] * 3
    assert set(sitting.attempt.answers.values_list("revision", flat=True)) == {2}


def test_a_paper_of_a_newer_program_is_a_503_and_no_500() -> None:
    exam = sit_down().attempt.exam
    Paper.objects.create(exam=exam, version=99, content={"questions": [{"from": "a newer program"}]})

    async def ask(store: AnswerStore) -> None:
        with pytest.raises(SavingUnavailable):
            await PaperRules(store.connection).get(exam.pk, 99)

    with_store(ask)
