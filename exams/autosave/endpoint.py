"""
The save path over ASGI: parse, verify, limit, hand over, answer.

Contract:
- An answer of 200 means that the database has committed what it speaks of.
- Every other answer is a clear 4xx or a 503 with `Retry-After`, in the language the client asked for, with the JSON of
  `exceptions.py`. Nothing a client sends makes a 500.
- No answer, ticket or body is ever logged.

Not here: what is stored and why (`store.py`), what fits a question (`../answers.py`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec
from django.utils import translation

from exams.autosave import ticket as tickets
from exams.autosave.checking import check_save
from exams.autosave.entries import Outcome, Save, SaveResult
from exams.autosave.messages import AckStatus, SaveManyReply, SaveManyRequest, SaveReply, SaveRequest, SaveResultReply
from exams.autosave.paper_rules import PaperRules, Rules
from exams.autosave.save_queue import QueueFull, SaveQueue
from exams.autosave.server_clock import ServerClock
from exams.autosave.store import DatabaseAway
from exams.conf import ExamsConf
from exams.exceptions import (
    ATTEMPT_CLOSED,
    BadSave,
    BadTicket,
    BodyTooLarge,
    ExamError,
    MethodNotAllowed,
    NotJson,
    NotJsonType,
    RateLimited,
    RevisionAhead,
    SavingUnavailable,
    TicketForOtherExam,
    WrongAnswer,
)
from exams.language import language_of
from ratelimit.limiter import MinimumGap

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: A page saves a question at most every 2 s; each waiting save adds a millisecond, so a full queue says 12 s.
_NEXT_SAVE_MS, _NEXT_SAVE_MS_PER_WAITING = 2000, 1
#: After a 503 pages come back between 2 and 6 s, spread so that they do not come together.
_RETRY_MS, _RETRY_JITTER_MS = 2000, 4000

#: The outcomes that are acknowledgements.
_STATUS: dict[Outcome, AckStatus] = {
    Outcome.SAVED: "saved",
    Outcome.ALREADY_SAVED: "already_saved",
    Outcome.SUPERSEDED: "superseded",
}

_decode_one = msgspec.json.Decoder(SaveRequest).decode
_decode_many = msgspec.json.Decoder(SaveManyRequest).decode
_encode = msgspec.json.Encoder().encode
_JSON_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


@dataclass(frozen=True)
class _Accepted:
    """A save that passed the shield; *took_window* if it must give it back when it is not stored."""

    save: Save
    took_window: bool


class AutosaveEndpoint:
    """Answers `save-answer` and `save-answers`. One per process, made inside its event loop."""

    def __init__(
        self, queue: SaveQueue, rules: PaperRules, clock: ServerClock, shield: MinimumGap, conf: ExamsConf
    ) -> None:
        self._queue = queue
        self._rules = rules
        self._clock = clock
        self._shield = shield
        self._conf = conf

    async def save_answer(self, exam: int, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /api/siswa/ujian/{exam}/save-answer`"""
        try:
            ticket, rules = await self._admit(exam, scope)
            body = await _read_body(scope, receive, self._conf.body_max_bytes)
            result, revision = await self._save_one(body, ticket, rules)
            reply = self._reply(result, revision)
        except ExamError as error:
            await self._send_error(error, scope, send)
        else:
            await _send(send, 200, _encode(reply), _JSON_HEADERS)

    async def save_answers(self, exam: int, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /api/siswa/ujian/{exam}/save-answers`"""
        try:
            ticket, rules = await self._admit(exam, scope)
            body = await _read_body(scope, receive, self._conf.bulk_body_max_bytes)
            try:
                raw_saves = _decode_many(body).answers
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
                raise _not_json(exc) from exc
            if len(raw_saves) > self._conf.bulk_max_answers:
                raise BodyTooLarge(field="answers", reason=f"at most {self._conf.bulk_max_answers} answers")
            results = await self._save_many(raw_saves, ticket, rules, scope)
        except ExamError as error:
            await self._send_error(error, scope, send)
        else:
            many = SaveManyReply(
                success=all(result.success for result in results),
                results=results,
                server_now=self._clock.now_ms(),
                next_save_ms=self._next_save_ms(),
            )
            await _send(send, 200, _encode(many), _JSON_HEADERS)

    # -- in ------------------------------------------------------------------------------------------------------

    async def _admit(self, exam: int, scope: Scope) -> tuple[tickets.Ticket, Rules]:
        """Method, type and ticket; everything that can be said before the body is read."""
        if scope["method"] != "POST":
            raise MethodNotAllowed
        authorization = content_type = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"content-type":
                content_type = value
        if content_type.partition(b";")[0].strip().lower() != b"application/json":
            raise NotJsonType
        if authorization[:7].lower() != b"bearer ":
            raise BadTicket
        try:
            ticket = tickets.read(authorization[7:], now=self._clock.now())
        except BadTicket:
            await self._clock.ask()  # it may be our clock that is wrong
            ticket = tickets.read(authorization[7:], now=self._clock.now())
        if ticket.exam != exam:
            raise TicketForOtherExam
        rules = self._rules.cached(exam, ticket.version)
        if rules is None:
            try:
                rules = await self._rules.get(exam, ticket.version)
            except DatabaseAway as exc:
                raise SavingUnavailable from exc
        return ticket, rules

    async def _accept(self, request: SaveRequest, ticket: tickets.Ticket, rules: Rules) -> _Accepted:
        """As `_accept_now`; a revision from the future is refused only by the database's own clock."""
        try:
            return self._accept_now(request, ticket, rules)
        except RevisionAhead:
            await self._clock.ask()
            return self._accept_now(request, ticket, rules)

    def _accept_now(self, request: SaveRequest, ticket: tickets.Ticket, rules: Rules) -> _Accepted:
        """The save in *request*, checked against the paper and let through by the shield."""
        ahead_seconds = self._conf.revision_ahead_seconds
        revision, value = check_save(request, rules, now_ms=self._clock.now_ms(), ahead_seconds=ahead_seconds)
        save = Save(ticket.attempt, request.question_id, revision, value)
        remaining = self._shield.remaining(save.key)
        if remaining <= 0:
            self._shield.take(save.key, revision)
            return _Accepted(save, took_window=True)
        if request.revision is not None and self._shield.tag(save.key) == revision:
            return _Accepted(save, took_window=False)  # a resend: acknowledged, never refused
        raise RateLimited(remaining)

    # -- through the queue ----------------------------------------------------------------------------------------

    async def _save_one(self, body: bytes, ticket: tickets.Ticket, rules: Rules) -> tuple[SaveResult, int]:
        try:
            request = _decode_one(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise _not_json(exc) from exc
        accepted = await self._accept(request, ticket, rules)
        result = None
        try:
            result = await self._queue.put(accepted.save)
        except QueueFull as exc:
            raise SavingUnavailable from exc
        finally:
            self._keep_shield(accepted, result)
        return result, accepted.save.revision

    def _keep_shield(self, accepted: _Accepted, result: SaveResult | None) -> None:
        """A window is only kept by a save that was stored; what the database knows better is taken over."""
        key = accepted.save.key
        if result is not None and result.outcome is Outcome.RATE_LIMITED:
            self._shield.hold(key, result.retry_after_seconds, None)
        elif accepted.took_window and (result is None or result.outcome is not Outcome.SAVED):
            self._shield.give_back(key, tag=accepted.save.revision)
        if result is not None and result.outcome is Outcome.SAVED and result.saved_at is not None:
            self._clock.set(result.saved_at)

    async def _save_many(
        self, raw_saves: list[msgspec.Raw], ticket: tickets.Ticket, rules: Rules, scope: Scope
    ) -> list[SaveResultReply]:
        replies: list[SaveResultReply] = []
        waiting: list[tuple[int, int, _Accepted, Awaitable[SaveResult]]] = []
        for raw in raw_saves:
            question_id = None
            try:
                try:
                    request = _decode_one(raw)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
                    raise _not_json(exc) from exc
                question_id = request.question_id
                accepted = await self._accept(request, ticket, rules)
                try:
                    waiting.append((len(replies), question_id, accepted, self._queue.put(accepted.save)))
                except QueueFull as exc:
                    self._keep_shield(accepted, None)
                    raise SavingUnavailable from exc
                replies.append(SaveResultReply(question_id=question_id, success=False))  # filled in below
            except ExamError as error:
                replies.append(self._failed(question_id, error, scope))
        for position, question_id, accepted, future in waiting:
            result = None
            try:
                result = await future
            finally:
                self._keep_shield(accepted, result)
            try:
                reply = self._reply(result, accepted.save.revision)
            except ExamError as error:
                replies[position] = self._failed(question_id, error, scope)
            else:
                replies[position] = SaveResultReply(
                    question_id=question_id,
                    success=True,
                    status=reply.status,
                    revision=reply.revision,
                    saved_at=reply.saved_at,
                    answer=reply.answer,
                )
        return replies

    # -- out -----------------------------------------------------------------------------------------------------

    def _next_save_ms(self) -> int:
        return _NEXT_SAVE_MS + _NEXT_SAVE_MS_PER_WAITING * self._queue.depth

    def _reply(self, result: SaveResult, revision: int) -> SaveReply:
        """The acknowledgement for *result*, or the error it stands for."""
        outcome = result.outcome
        if outcome in _STATUS and result.saved_at is not None:
            return SaveReply(
                success=True,
                status=_STATUS[outcome],
                revision=result.revision,
                saved_at=result.saved_at,
                server_now=self._clock.now_ms(),
                next_save_ms=self._next_save_ms(),
                answer=msgspec.Raw(result.stored) if result.stored else msgspec.UNSET,
            )
        if outcome is Outcome.RATE_LIMITED:
            raise RateLimited(result.retry_after_seconds)
        if outcome is Outcome.CLOSED:
            raise ATTEMPT_CLOSED[result.attempt_status]
        if outcome is Outcome.REFUSED:
            raise BadSave(field="answer", revision=revision)
        raise SavingUnavailable

    def _body_of(self, error: ExamError, scope: Scope) -> dict[str, Any]:
        accept_language = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
        with translation.override(language_of(accept_language.decode("latin-1"))):
            body = error.body()
        if error.status == 503:
            body["retryAfterMs"] = _RETRY_MS + random.randrange(_RETRY_JITTER_MS)  # noqa: S311 - jitter, no secret
        return body

    def _failed(self, question_id: int | None, error: ExamError, scope: Scope) -> SaveResultReply:
        body = self._body_of(error, scope)
        known = {"retryAfterMs": "retry_after_ms", "field": "field", "reason": "reason"}
        return SaveResultReply(
            question_id=question_id,
            success=False,
            code=body["code"],
            message=body["message"],
            **{ours: body[theirs] for theirs, ours in known.items() if theirs in body},
        )

    async def _send_error(self, error: ExamError, scope: Scope, send: Send) -> None:
        body = self._body_of(error, scope)
        headers = list(_JSON_HEADERS)
        if "retryAfterMs" in body:
            headers.append((b"retry-after", b"%d" % math.ceil(body["retryAfterMs"] / 1000)))
        if error.status == 401:
            headers.append((b"www-authenticate", b'Bearer realm="save"'))
        if error.status == 405:
            headers.append((b"allow", b"POST"))
        if error.status == 413:
            headers.append((b"connection", b"close"))
        await _send(send, error.status, _encode(body), headers)


def _not_json(exc: Exception) -> ExamError:
    """400 for what is no JSON, 422 with the field for JSON of another shape."""
    if isinstance(exc, msgspec.ValidationError):
        reason, _, path = str(exc).partition(" - at `$")
        field = path.rstrip("`").lstrip(".")
        if reason.startswith("Object missing required field"):
            field = f"{field}.{reason.split('`')[1]}".lstrip(".")
        return WrongAnswer(field=field or "body", reason=reason)
    return NotJson()


async def _read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body, or `BodyTooLarge` without having read more than *most* bytes and one chunk."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        chunks = [body]
        size = len(body)
        while message.get("more_body", False) and size <= most:
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        body = b"".join(chunks)
    if len(body) > most:
        raise BodyTooLarge(field="body", reason=f"at most {most} bytes")
    if message["type"] == "http.disconnect":
        raise NotJson  # nobody is there to read it
    return body


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})
