"""
The trouble itself.

Contract: `Faults.happen()` returns when the event is over and its victim runs again; what must not be (a SIGTERM that
takes longer than 10 s) is a sentence in `broken_promises`. A victim that is busy with another event is waited for.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.chaos.schedule import Event, Kind
from tests.chaos.stage import STOP_SECONDS, Database, StageError, Web

PAUSE_SECONDS = 3.0
_AGAIN_SECONDS = 20.0
_LOOK_SECONDS = 0.05


class Faults:
    """Makes events happen to *webs* and *database*, and counts them."""

    def __init__(self, webs: list[Web], database: Database, say: Callable[[str], None]) -> None:
        self._webs = webs
        self._database = database
        self._say = say
        self.happened: Counter[Kind] = Counter()
        self.broken_promises: list[str] = []
        self.longest_stop_seconds = 0.0

    async def happen(self, event: Event) -> None:
        """Let *event* happen now."""
        chance = random.Random(event.chance)
        effects: dict[Kind, Callable[[random.Random], Awaitable[None]]] = {
            Kind.KILL_WEB: self._kill_web,
            Kind.KILL_WORKER: self._kill_worker,
            Kind.KILL_DATABASE: self._kill_database,
            Kind.PAUSE_WEB: self._pause_web,
            Kind.PAUSE_BACKEND: self._pause_backend,
            Kind.PAUSE_POSTMASTER: self._pause_postmaster,
            Kind.STOP_WEB: self._stop_web,
        }
        await effects[event.kind](chance)
        self.happened[event.kind] += 1

    # -- web -------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _some_web(self, chance: random.Random) -> AsyncIterator[Web]:
        """One that is not in trouble already, if there is one."""
        free = [web for web in self._webs if not web.lock.locked()]
        web = chance.choice(free or self._webs)
        async with web.lock:
            yield web

    async def _kill_web(self, chance: random.Random) -> None:
        async with self._some_web(chance) as web:
            self._say(f"kill -9 of the server on port {web.port}")
            await web.kill()
            await asyncio.sleep(chance.random())
            await web.start()

    async def _kill_worker(self, chance: random.Random) -> None:
        async with self._some_web(chance) as web:
            pid = await self._worker_of(web)
            self._say(f"kill -9 of web process {pid} (port {web.port})")
            os.kill(pid, signal.SIGKILL)
            if not await web.answers(until=time.monotonic() + _AGAIN_SECONDS):
                raise StageError("The supervisor did not replace a killed web process.")

    async def _pause_web(self, chance: random.Random) -> None:
        async with self._some_web(chance) as web:
            pid = await self._worker_of(web)
            self._say(f"SIGSTOP of web process {pid} (port {web.port})")
            await _pause(pid)

    async def _stop_web(self, chance: random.Random) -> None:
        async with self._some_web(chance) as web:
            seconds, code = await web.stop()
            self._say(f"SIGTERM of the server on port {web.port}: ended after {seconds:.1f} s with {code}")
            self.longest_stop_seconds = max(self.longest_stop_seconds, seconds)
            if seconds > STOP_SECONDS or code != 0:
                self.broken_promises.append(f"A SIGTERM took {seconds:.1f} s and ended with {code}")
            await web.start()

    @staticmethod
    async def _worker_of(web: Web) -> int:
        until = time.monotonic() + _AGAIN_SECONDS
        while time.monotonic() < until:
            if (pid := web.worker_pid()) is not None and await web.answers(until=until):
                return pid
            await asyncio.sleep(_LOOK_SECONDS)
        raise StageError("There is no web process that could be disturbed.")

    # -- database --------------------------------------------------------------------------------------------------

    async def _kill_database(self, chance: random.Random) -> None:
        async with self._database.lock:
            away = chance.uniform(0.5, 3.0)
            self._say(f"kill -9 of PostgreSQL, for {away:.1f} s")
            self._database.kill()
            await asyncio.sleep(away)
            await self._database.start()
            self._say("PostgreSQL is back")

    async def _pause_backend(self, chance: random.Random) -> None:
        async with self._database.lock:
            until = time.monotonic() + _AGAIN_SECONDS
            while not (pids := await self._database.saving_backends()):
                if time.monotonic() > until:
                    raise StageError("Nothing was saved for 20 s although PostgreSQL runs.")
                await asyncio.sleep(_LOOK_SECONDS)
            pid = chance.choice(pids)
            self._say(f"SIGSTOP of the PostgreSQL backend {pid}")
            await _pause(pid)

    async def _pause_postmaster(self, _chance: random.Random) -> None:
        async with self._database.lock:
            pid = self._database.postmaster_pid
            if pid is None:
                raise StageError("PostgreSQL has no process that could be disturbed.")
            self._say(f"SIGSTOP of the postmaster {pid}")
            await _pause(pid)


async def _pause(pid: int) -> None:
    """SIGSTOP, and SIGCONT after 3 s whatever happens to us."""
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(PAUSE_SECONDS)
    finally:
        # It may have been killed meanwhile, by its supervisor for instance: nothing is left to be continued.
        if _exists(pid):
            os.kill(pid, signal.SIGCONT)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
