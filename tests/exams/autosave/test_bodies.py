"""Whatever a client sends: a clear 4xx in its language, never a 500, and nothing stored."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from exams.models import Answer
from tests.exams.autosave.sitting import Sitting, now_ms, sit_down
from tests.exams.factories import RIGHT, question_of
from tests.web import WebProcess, save_path

pytestmark = pytest.mark.django_db(transaction=True)


def post_raw(web: WebProcess, sitting: Sitting, body: bytes, path: str = "", **headers: str) -> Any:
    return web.client.post(
        path or save_path(sitting.exam_id),
        content=body,
        headers={"Authorization": f"Bearer {sitting.ticket}", "Content-Type": "application/json", **headers},
    )


def save_body(question: int, answer: str, rest: str = "") -> bytes:
    return f'{{"questionId":{question},"answer":{answer}{rest}}}'.encode()


def raw_bodies(question: int) -> dict[str, tuple[bytes, int]]:
    """name -> (body, status)"""
    deep = 20_000
    return {
        "empty": (b"", 400),
        "blank": (b"   ", 400),
        "not JSON": (b"answer=jkrt", 400),
        "half of it": (b'{"questionId":', 400),
        "a list": (b"[]", 422),
        "a number": (b"7", 422),
        "null": (b"null", 422),
        "no question": (b'{"answer":"jkrt"}', 422),
        "no answer": (f'{{"questionId":{question}}}'.encode(), 422),
        "question as text": (b'{"questionId":"1","answer":"jkrt"}', 422),
        "question zero": (b'{"questionId":0,"answer":"jkrt"}', 422),
        "question beyond bigint": (b'{"questionId":%d,"answer":"jkrt"}' % 10**30, 422),
        "unknown question": (b'{"questionId":999999999,"answer":"jkrt"}', 404),
        "deep nesting": (save_body(question, "[" * deep + "]" * deep), 400),
        "deep and unclosed": (b"[" * deep, 422),
        "NaN": (save_body(question, "NaN"), 400),
        "infinite": (save_body(question, "1e999"), 422),
        "NUL": (save_body(question, '"jk\\u0000rt"'), 422),
        "raw NUL": (save_body(question, '"jk\0rt"'), 400),
        "lone surrogate": (save_body(question, '"\\ud800"'), 400),
        "not UTF-8": (b'{"questionId":1,"answer":"\xff"}', 400),
        "unknown option": (save_body(question, '"zzzz"'), 422),
        "wrong type": (save_body(question, "true"), 422),
        "list for one choice": (save_body(question, '["jkrt"]'), 422),
        "object for one choice": (save_body(question, '{"a":"jkrt"}'), 422),
        "huge revision": (save_body(question, '"jkrt"', f',"revision":{10**30}'), 422),
        "negative revision": (save_body(question, '"jkrt"', ',"revision":-1'), 422),
        "revision as text": (save_body(question, '"jkrt"', ',"revision":"1"'), 422),
        "fraction as revision": (save_body(question, '"jkrt"', ',"revision":1.5'), 422),
        "revision ahead": (save_body(question, '"jkrt"', f',"revision":{now_ms() + 120_000}'), 422),
        "another type's name": (save_body(question, '"jkrt"', ',"questionType":"essay"'), 422),
        "65 KiB": (save_body(question, json.dumps("x" * 65 * 1024)), 413),
    }


@pytest.mark.parametrize("name", raw_bodies(1))
def test_a_bad_body_is_refused_with_a_reason_and_stores_nothing(web: WebProcess, name: str) -> None:
    sitting = sit_down()
    body, status = raw_bodies(sitting.questions[0])[name]
    response = post_raw(web, sitting, body)
    problem = response.json()
    assert response.status_code == status, problem
    assert problem["success"] is False
    assert problem["code"]
    assert problem["message"]
    assert status != 422 or problem["field"]
    assert Answer.objects.count() == 0
    assert post_raw(web, sitting, save_body(sitting.questions[0], '"jkrt"')).status_code == 200, "no window was taken"


@pytest.mark.parametrize("name", ["empty", "deep and unclosed", "not UTF-8", "null", "a list"])
def test_a_bad_body_of_many_answers_is_refused_as_clearly(web: WebProcess, name: str) -> None:
    sitting = sit_down()
    path = f"/api/siswa/ujian/{sitting.exam_id}/save-answers"
    body, _status = raw_bodies(sitting.questions[0])[name]
    assert post_raw(web, sitting, body, path).status_code in (400, 422)
    deep = b'{"answers":[' + b"[" * 20_000 + b"]" * 20_000 + b"]}"
    assert post_raw(web, sitting, deep, path).status_code in (200, 400)
    assert post_raw(web, sitting, b'{"answers":[' + b"1," * 100 + b"1]}", path).status_code == 413
    assert post_raw(web, sitting, b'{"answers":["' + b"x" * 1024 * 1024 + b'"]}', path).status_code == 413
    assert Answer.objects.count() == 0


#: By type: values that do not fit it.
UNFIT: dict[str, list[Any]] = {
    "multiple_choice": [1, True, ["jkrt"], {}, "", "JKRT"],
    "multiple_response": ["twoo", ["twoo", "twoo"], ["nope"], [1], [["twoo"]], {"twoo": True}],
    "true_false": ["true", 1, 0, [], {}],
    "short_answer": [1, True, [], {}, "x" * 1001, "a\x00b"],
    "numerical": [True, [], {}, "1" * 65, "1\x00"],
    "matching": ["bali", ["bali"], {"bali": 1}, {"bali": "nope"}, {"nope": "dnps"}, {"bali": None}],
    "essay": [1, True, [], {}, "x" * 30_001, "a\x00b"],
    "description": ["", "text", None, True, [], {}],
}


@pytest.mark.parametrize("kind", UNFIT)
def test_every_type_takes_its_own_shape_only(web: WebProcess, kind: str) -> None:
    sitting = sit_down([question_of(kind), "essay"])
    for value in UNFIT[kind]:
        response = sitting.save(web, value)
        assert response.status_code == 422, (value, response.text)
        assert response.json()["field"] == "answer"
    assert Answer.objects.count() == 0
    if kind in RIGHT:
        assert sitting.save(web, RIGHT[kind], questionType=kind).status_code == 200
        assert sitting.attempt.answers.get().value == RIGHT[kind]


def test_only_post_and_only_json(web: WebProcess) -> None:
    sitting = sit_down()
    get = web.client.get(save_path(sitting.exam_id))
    assert (get.status_code, get.headers["Allow"]) == (405, "POST")
    body = save_body(sitting.questions[0], '"jkrt"')
    assert post_raw(web, sitting, body, **{"Content-Type": "text/plain"}).status_code == 415
    assert post_raw(web, sitting, body, **{"Content-Type": "application/json; charset=utf-8"}).status_code == 200


def test_the_message_is_indonesian_unless_the_client_prefers_english(web: WebProcess) -> None:
    sitting = sit_down()
    indonesian = post_raw(web, sitting, b"")
    english = post_raw(web, sitting, b"", **{"Accept-Language": "en-US,en;q=0.9,id;q=0.5"})
    assert indonesian.json()["message"].startswith("Isi permintaan bukan JSON")
    assert english.json()["message"].startswith("The body is not valid JSON")
    weird = post_raw(web, sitting, b"", **{"Accept-Language": "x" * 5000})
    assert weird.json()["message"] == indonesian.json()["message"]


def test_addresses_that_only_look_like_ours_are_ordinary_404s(web: WebProcess) -> None:
    for path in (
        "/api/siswa/ujian/x/save-answer",
        f"/api/siswa/ujian/{10**30}/save-answer",
        "/api/siswa/ujian/1/save-answerx",
    ):
        assert web.client.post(path, json={}).status_code == 404, path


def test_a_body_in_drips_and_one_that_never_ends_do_not_hold_the_others_up(web: WebProcess) -> None:
    sitting = sit_down()
    host, port = web.url.removeprefix("http://").split(":")
    body = save_body(sitting.questions[0], '"jkrt"')
    head = (
        f"POST {save_path(sitting.exam_id)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sitting.ticket}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        slow.sendall(head + body[:5])
        assert sitting.save(web).status_code == 200
        slow.sendall(body[5:])
        assert b" 429 " in slow.recv(200), "the same rules for a body that came in drips"
    with socket.create_connection((host, int(port)), timeout=10) as gone:
        gone.sendall(head + body[:5])
    assert web.ready()["saveQueue"]["pending"] == 0
