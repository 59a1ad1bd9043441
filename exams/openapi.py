"""
The autosave endpoints in the OpenAPI description. They are plain ASGI, so drf-spectacular cannot see them.

Contract: the schemas come from the structs that the endpoint itself decodes and encodes (`autosave/messages.py`), so
they cannot drift apart.
"""

from __future__ import annotations

from typing import Any

import msgspec

from exams.autosave.messages import SaveManyReply, SaveManyRequest, SaveReply, SaveRequest

_PREFIX = "#/components/schemas/"
_ANY_JSON: dict[str, Any] = {
    "description": "Any JSON; what fits depends on the question's type (docs/reference/api.md)."
}
#: What `save-answers` says about each answer in its reply, never about all of them.
_OF_ONE_ANSWER = {"404", "409", "429"}
_ERRORS = {
    "400": "not_json",
    "401": "bad_ticket: the page fetches a fresh one from …/state",
    "403": "ticket_for_other_exam",
    "404": "unknown_question",
    "409": "attempt_submitted, attempt_expired or attempt_locked",
    "413": "too_large",
    "415": "unsupported_media_type",
    "422": "wrong_answer, revision_ahead or save_refused; `field` and `reason` say more",
    "429": "rate_limited: `Retry-After` and `retryAfterMs`",
    "503": "unavailable: keep the answer, come back after `Retry-After`",
}


def _schemas() -> dict[str, Any]:
    def hook(kind: type) -> dict[str, Any]:
        if kind is msgspec.Raw:
            return _ANY_JSON
        raise NotImplementedError(kind)

    _, components = msgspec.json.schema_components(
        [SaveRequest, SaveManyRequest, SaveReply, SaveManyReply], schema_hook=hook, ref_template=_PREFIX + "{name}"
    )
    return {
        **components,
        # On the wire these are `SaveRequest`s; they are decoded one by one so that a wrong one spoils no other.
        "SaveManyRequest": {
            **components["SaveManyRequest"],
            "properties": {"answers": {"type": "array", "maxItems": 100, "items": {"$ref": _PREFIX + "SaveRequest"}}},
        },
    }


def _operation(name: str, summary: str, request: str, reply: str, errors: dict[str, str]) -> dict[str, Any]:
    def content(schema: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": _PREFIX + schema}}}

    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "tags": ["api"],
            "security": [{"saveTicket": []}],
            "parameters": [{"in": "path", "name": "exam_id", "required": True, "schema": {"type": "integer"}}],
            "requestBody": {"required": True, "content": content(request)},
            "responses": {
                "200": {"description": "Committed to the database", "content": content(reply)},
                **{status: {"description": text, "content": content("Problem")} for status, text in errors.items()},
            },
        }
    }


def add_autosave(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's postprocessing hook."""
    result["components"]["schemas"].update(_schemas())
    result["components"].setdefault("securitySchemes", {})["saveTicket"] = {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The ticket from …/start or …/state.",
    }
    result["paths"]["/api/siswa/ujian/{exam_id}/save-answer"] = _operation(
        "saveAnswer", "Save one answer.", "SaveRequest", "SaveReply", _ERRORS
    )
    result["paths"]["/api/siswa/ujian/{exam_id}/save-answers"] = _operation(
        "saveAnswers",
        "Save up to 100 answers, after an outage; one outcome each.",
        "SaveManyRequest",
        "SaveManyReply",
        {status: text for status, text in _ERRORS.items() if status not in _OF_ONE_ANSWER},
    )
    return result
