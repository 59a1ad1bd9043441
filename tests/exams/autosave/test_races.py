"""The 2 s rule, resends, submit and the deadline as races: real servers, two processes, one PostgreSQL."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db import connection

from exams import attempts
from exams.autosave import ticket as tickets
from exams.models import Attempt
from tests.exams.autosave.sitting import now_ms, sit_down, ticket_for
from tests.exams.factories import make_attempt, question_of
from tests.web import WebProcess, post_save, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def all_at_once(jobs: list[Callable[[], httpx.Response]]) -> list[httpx.Response]:
    """Run *jobs* in a thread each, started together."""
    together = threading.Barrier(len(jobs))

    def run(job: Callable[[], httpx.Response]) -> httpx.Response:
        together.wait(timeout=20)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def age_of_save(attempt: Attempt, seconds: float) -> None:
    """Move every saved_at of *attempt* back, instead of waiting."""
    attempt.answers.update(saved_at=attempts.database_now() - timedelta(seconds=seconds))


def test_of_fifty_saves_of_one_question_over_two_processes_exactly_one_is_saved(
    web: WebProcess, second_web: WebProcess
) -> None:
    sitting = sit_down()
    bystander = sit_down(["multiple_choice", "short_answer"])
    start = now_ms()
    processes = [web, second_web]
    responses = all_at_once(
        [lambda number=number: sitting.save(processes[number % 2], revision=start + number) for number in range(50)]
        + [
            lambda: bystander.save(web),
            lambda: bystander.save(second_web, "dingin", question=bystander.questions[1]),
        ]
    )
    statuses = Counter(response.status_code for response in responses[:50])
    assert statuses == {200: 1, 429: 49}
    assert [response.status_code for response in responses[50:]] == [200, 200]
    for refused in (response for response in responses[:50] if response.status_code == 429):
        body = refused.json()
        assert body["code"] == "rate_limited"
        assert body["success"] is False
        assert 0 < body["retryAfterMs"] <= 2000
        assert int(refused.headers["Retry-After"]) == math.ceil(body["retryAfterMs"] / 1000)
        assert body["message"] == "Terlalu banyak request. Tunggu {} detik.".format(refused.headers["Retry-After"])
    assert sitting.attempt.answers.count() == 1
    saved = next(response.json() for response in responses[:50] if response.status_code == 200)
    assert sitting.stored().revision == saved["revision"]  # type: ignore[union-attr]


def test_two_seconds_after_the_accepted_save_the_next_one_passes_on_both_processes(
    web: WebProcess, second_web: WebProcess
) -> None:
    sitting = sit_down()
    assert sitting.save(web).json()["status"] == "saved"
    early = sitting.save(second_web)
    assert early.status_code == 429
    threading.Event().wait(early.json()["retryAfterMs"] / 1000)  # the promise itself: wait as told, then it passes
    assert sitting.save(second_web).json()["status"] == "saved"
    assert sitting.save(web).status_code == 429


def test_the_row_limits_even_where_no_process_remembers(web: WebProcess, second_web: WebProcess) -> None:
    sitting = sit_down()
    assert sitting.save(web).status_code == 200
    age_of_save(sitting.attempt, 1.5)
    refused = sitting.save(second_web)
    assert refused.status_code == 429
    assert refused.json()["retryAfterMs"] <= 500
    age_of_save(sitting.attempt, 2)
    threading.Event().wait(refused.json()["retryAfterMs"] / 1000)
    assert sitting.save(second_web).status_code == 200


def test_the_same_revision_sent_ten_times_at_once_is_acknowledged_ten_times_and_stored_once(
    web: WebProcess, second_web: WebProcess
) -> None:
    sitting = sit_down()
    revision = now_ms()
    responses = all_at_once(
        [lambda n=n: sitting.save([web, second_web][n % 2], revision=revision) for n in range(10)]  # type: ignore[misc]
    )
    assert {response.status_code for response in responses} == {200}
    assert {response.json()["status"] for response in responses} <= {"saved", "already_saved"}
    assert {response.json()["revision"] for response in responses} == {revision}
    assert sitting.attempt.answers.count() == 1


def test_the_same_revision_with_another_answer_keeps_the_stored_one_and_shows_it(
    web: WebProcess, second_web: WebProcess
) -> None:
    sitting = sit_down()
    revision = now_ms()
    assert sitting.save(web, "jkrt", revision=revision).json()["status"] == "saved"
    other = sitting.save(second_web, "bndg", revision=revision).json()
    assert (other["status"], other["answer"]) == ("superseded", "jkrt")
    assert sitting.stored().value == "jkrt"  # type: ignore[union-attr]


def test_an_older_revision_that_comes_late_is_harmless(web: WebProcess) -> None:
    sitting = sit_down()
    revision = now_ms()
    sitting.save(web, "jkrt", revision=revision)
    age_of_save(sitting.attempt, 3)
    wait_until(lambda: sitting.save(web, "bndg", revision=revision - 1).status_code == 200)
    late = sitting.save(web, "bndg", revision=revision - 1).json()
    assert (late["status"], late["revision"], late["answer"]) == ("superseded", revision, "jkrt")


def test_clearing_an_answer_is_an_answer_too(web: WebProcess) -> None:
    sitting = sit_down()
    assert sitting.save(web, None).json()["status"] == "saved"
    assert sitting.stored().value is None  # type: ignore[union-attr]


def test_saves_that_race_with_submit_never_land_after_it_and_every_acknowledged_one_is_scored(
    web: WebProcess, second_web: WebProcess
) -> None:
    """40 students save both questions while they submit: the acknowledged and the scored must be the same."""
    sitting = sit_down(["multiple_choice", "short_answer"])
    exam = sitting.attempt.exam
    all_attempts = [make_attempt(exam) for _ in range(40)]

    def save_both(attempt: Attempt) -> list[httpx.Response]:
        ticket = ticket_for(attempt)
        return [
            post_save(web, ticket, exam.pk, {"questionId": sitting.questions[0], "answer": "jkrt"}),
            post_save(second_web, ticket, exam.pk, {"questionId": sitting.questions[1], "answer": "dingin"}),
        ]

    def submit(attempt: Attempt) -> attempts.Submission:
        try:
            return attempts.submit_attempt(student=attempt.student, exam_id=exam.pk, pending=[], manifest={})
        finally:
            connection.close()

    with ThreadPoolExecutor(24) as pool:
        saves, submits = [], []
        for attempt in all_attempts:
            saves.append(pool.submit(save_both, attempt))
            submits.append(pool.submit(submit, attempt))
        responses = [future.result() for future in saves]
        submissions = [future.result() for future in submits]

    seen = Counter(response.status_code for pair in responses for response in pair)
    assert set(seen) <= {200, 409}, seen
    for pair, submission in zip(responses, submissions, strict=True):
        acknowledged = sum(response.status_code == 200 for response in pair)
        attempt = Attempt.objects.get(pk=submission.attempt.pk)
        assert attempt.answers.count() == acknowledged == submission.answered
        assert attempt.score == acknowledged, "each right answer is worth one point"
        assert all(r.json()["code"] == "attempt_submitted" for r in pair if r.status_code == 409)
        assert not attempt.answers.filter(saved_at__gt=attempt.submitted_at).exists()


def test_saves_that_race_with_the_deadline_are_either_scored_or_refused(web: WebProcess) -> None:
    sitting = sit_down(["multiple_choice"] * 30)
    Attempt.objects.filter(pk=sitting.attempt.pk).update(
        started_at=attempts.database_now() - timedelta(hours=1),
        deadline_at=attempts.database_now() - attempts.grace() + timedelta(seconds=0.5),
    )
    answers: list[httpx.Response] = []
    closed: list[int] = []

    def look() -> bool:
        closed.append(attempts.close_expired())
        return sum(closed) > 0

    def close_until_closed() -> None:
        try:
            wait_until(look)
        finally:
            connection.close()

    closer = threading.Thread(target=close_until_closed)
    closer.start()
    with ThreadPoolExecutor(8) as pool:
        while closer.is_alive():
            answers += pool.map(lambda question: sitting.save(web, question=question), sitting.questions)
    closer.join()
    acknowledged = {
        question
        for number, response in enumerate(answers)
        for question in [sitting.questions[number % 30]]
        if response.status_code == 200
    }
    attempt = Attempt.objects.get(pk=sitting.attempt.pk)
    assert attempt.status == "expired"
    assert sum(closed) == 1
    assert acknowledged, "some saves came before the deadline"
    assert attempt.score == len(acknowledged) == attempt.answers.count()
    wait_until(lambda: sitting.save(web, "bndg").status_code != 429, 5, "the end of the 2 s")
    late = sitting.save(web, "bndg")
    assert (late.status_code, late.json()["code"]) == (409, "attempt_expired")


def test_a_resend_of_what_is_stored_is_acknowledged_after_the_deadline_and_after_submit(web: WebProcess) -> None:
    sitting = sit_down()
    revision = now_ms()
    sitting.save(web, revision=revision)
    attempts.submit_attempt(
        student=sitting.attempt.student, exam_id=sitting.exam_id, pending=[], manifest={sitting.questions[0]: revision}
    )
    again = sitting.save(web, revision=revision)
    assert (again.status_code, again.json()["status"]) == (200, "already_saved")
    newer = sitting.save(web, revision=revision + 5000)
    assert newer.status_code in (409, 429)
    assert sitting.stored().revision == revision  # type: ignore[union-attr]


def test_a_lock_by_a_teacher_stops_saves_at_once_and_an_unlock_lets_them_go_on(web: WebProcess) -> None:
    sitting = sit_down()
    attempts.lock_attempts(attempt_ids=[sitting.attempt.pk])
    refused = sitting.save(web)
    assert (refused.status_code, refused.json()["code"]) == (409, "attempt_locked")
    attempts.unlock_attempts(attempt_ids=[sitting.attempt.pk])
    assert sitting.save(web).status_code == 200


def test_a_teacher_who_holds_an_attempt_open_delays_nobody_else(web: WebProcess) -> None:
    held, neighbour = sit_down(), sit_down()
    is_held, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        from django.db import transaction

        try:
            with transaction.atomic():
                Attempt.objects.select_for_update().get(pk=held.attempt.pk)
                is_held.set()
                may_go.wait(20)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert is_held.wait(10)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(held.save, web)
            assert neighbour.save(web).status_code == 200
            assert not waiting.done()
            may_go.set()
            assert waiting.result(timeout=10).json()["status"] == "saved"
    finally:
        may_go.set()
        holder.join()


def test_a_running_attempt_on_an_older_version_of_the_paper_goes_on(web: WebProcess) -> None:
    from exams import publishing
    from tests.exams.factories import make_question

    sitting = sit_down()
    new_question = make_question(sitting.attempt.exam, question_of("short_answer"))
    publishing.publish(exam_id=sitting.exam_id)
    assert sitting.save(web).status_code == 200
    unknown = sitting.save(web, "dingin", question=new_question.pk)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_question")
    newer = make_attempt(sitting.attempt.exam, paper=sitting.attempt.exam.papers.get(version=2))
    body = {"questionId": new_question.pk, "answer": "dingin"}
    assert post_save(web, ticket_for(newer), sitting.exam_id, body).status_code == 200


def test_a_clock_that_was_set_back_does_not_block_a_student(web: WebProcess) -> None:
    sitting = sit_down()
    sitting.save(web)
    sitting.attempt.answers.update(saved_at=attempts.database_now() + timedelta(hours=1))
    sitting.attempt.answers.update(revision=now_ms() - 60_000)
    wait_until(lambda: sitting.save(web, "bndg").status_code == 200, 5, "a save after the clock was set back")
    assert sitting.stored().value == "bndg"  # type: ignore[union-attr]


def test_many_answers_after_an_outage_get_one_outcome_each(web: WebProcess) -> None:
    sitting = sit_down(["multiple_choice", "short_answer", "essay", "description"])
    choice, short, essay, description = sitting.questions

    def entry(question: int, answer: Any, **more: Any) -> dict[str, Any]:
        return {"questionId": question, "answer": answer, **more}

    response = web.client.post(
        f"/api/siswa/ujian/{sitting.exam_id}/save-answers",
        json={
            "answers": [
                entry(choice, "jkrt"),
                entry(short, 7),
                "nonsense",
                entry(essay, "cerita", revision=now_ms() - 1000),
                entry(description, "x"),
                entry(choice, "bndg"),
                entry(10**9, "x"),
                entry(essay, "besok", revision=now_ms() + 3_600_000),
            ]
        },
        headers={"Authorization": f"Bearer {sitting.ticket}"},
    )
    body = response.json()
    assert response.status_code == 200
    assert [result.get("status") or result["code"] for result in body["results"]] == [
        "saved",
        "wrong_answer",
        "wrong_answer",
        "saved",
        "wrong_answer",
        "rate_limited",
        "unknown_question",
        "revision_ahead",
    ]
    assert body["success"] is False
    assert body["results"][5]["retryAfterMs"] > 0
    assert sitting.attempt.answers.count() == 2
    assert tickets.read(sitting.ticket.encode()).attempt == sitting.attempt.pk
