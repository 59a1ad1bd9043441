"""
What a save is checked against: the papers, fetched once per process on a connection of their own.

Contract: `get()` returns the questions of (exam, version) by id; papers never change, so a cached one is right for
ever. Raises `DatabaseAway` if it is not cached and the database does not answer, and `BadTicket` if there is no such
paper. Bounded: the paper that was fetched first is forgotten first.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
import psycopg

from exams import papers
from exams.autosave.store import Connection, DatabaseAway
from exams.content import QuestionContent
from exams.exceptions import BadTicket, SavingUnavailable

logger = logging.getLogger(__name__)

_KEPT = 64
_SQL = "SELECT content::text FROM papers WHERE exam_id = %(exam)s AND version = %(version)s"

Rules = dict[int, QuestionContent]


class PaperRules:
    """The cache, and the fetching behind it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._kept: dict[tuple[int, int], Rules] = {}
        self._fetching: dict[tuple[int, int], asyncio.Task[Rules]] = {}

    def cached(self, exam: int, version: int) -> Rules | None:
        """The rules if they are here already: the way nearly every save goes."""
        return self._kept.get((exam, version))

    async def get(self, exam: int, version: int) -> Rules:
        """The rules. A class that starts together shares one query, or its failure."""
        key = (exam, version)
        if key in self._kept:
            return self._kept[key]
        if key not in self._fetching:
            self._fetching[key] = asyncio.create_task(self._fetch(*key))
            self._fetching[key].add_done_callback(lambda _task: self._fetching.pop(key))
        return await asyncio.shield(self._fetching[key])

    async def _fetch(self, exam: int, version: int) -> Rules:
        try:
            rows: list[tuple[Any, ...]] = await self._connection.fetch(_SQL, {"exam": exam, "version": version})
        except psycopg.Error as exc:  # somebody has locked the table
            raise DatabaseAway from exc
        if not rows:
            raise BadTicket
        try:
            rules = dict(papers.decode(exam, version, rows[0][0].encode()).pairs())
        except msgspec.ValidationError as exc:
            # A newer program wrote it, and this one was rolled back: the page keeps its answers until it is back.
            logger.exception("Paper of exam %s, version %s cannot be read", exam, version)
            raise SavingUnavailable from exc
        while len(self._kept) >= _KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[exam, version] = rules
        return rules
