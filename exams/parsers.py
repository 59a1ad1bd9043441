"""
JSON bodies for the API: strict, and without the two ways in which Python's own parser can be made to fail.

Contract: what is no JSON raises DRF's `ParseError` (400): also NaN, a lone surrogate, or a nesting so deep that it
would end in a `RecursionError`. A body over `DATA_UPLOAD_MAX_MEMORY_SIZE` is 413 and not read to its end: Django's own
bound only holds for `request.body`, which DRF does not ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import msgspec
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from exams.exceptions import BodyTooLarge


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(most + 1)
        if len(body) > most:
            raise BodyTooLarge(field="body", reason=f"at most {most} bytes")
        try:
            return msgspec.json.decode(body) if body.strip() else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise ParseError from exc
