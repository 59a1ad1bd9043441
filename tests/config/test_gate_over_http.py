"""The gate behind the real server, with real sockets, and before Django's real handler."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable

import pytest
import uvicorn
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from config.gate import Gate
from tests.config.gate_room import in_loop

#: More than the sockets between server and client take in on their own.
LARGE = b"x" * (16 * 1024 * 1024)
CHUNK = 64 * 1024  # as Django sends
PATIENCE_SECONDS = 30


class Site:
    """A server of its own in a thread: `/save` passes by the gate, everything else goes through it."""

    def __init__(self, app=None, **options) -> None:
        self.gate = Gate(
            app or self.page, **{"at_once": 4, "line_max": 200, "wait_seconds": PATIENCE_SECONDS, **options}
        )
        self.arrived: list[str] = []
        self.entered: list[str] = []
        self.inside = self.most_inside = 0
        self.doors = asyncio.Event()
        config = uvicorn.Config(self.route, interface="asgi3", lifespan="off", log_config=None, access_log=False)
        self.server = uvicorn.Server(config)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})

    def __enter__(self) -> "Site":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE_SECONDS)
        self.listener.close()
        assert not self.thread.is_alive()

    async def route(self, scope, receive, send) -> None:
        if scope["path"] == "/save":
            await answer(send, b"saved")
            return
        self.loop = asyncio.get_running_loop()
        self.arrived.append(scope["path"])
        await self.gate(scope, receive, send)

    async def page(self, scope, receive, send) -> None:
        """The application: `/large` is large, `/broken` raises, the others wait for the doors to open."""
        self.entered.append(scope["path"])
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            message = await receive()
            if scope["path"] == "/broken":
                raise LookupError("broken page")
            if scope["path"] != "/large":
                await self.doors.wait()
        finally:
            self.inside -= 1
        await answer(send, LARGE if scope["path"] == "/large" else b"page " + message["body"])

    def open_doors(self) -> None:
        self.loop.call_soon_threadsafe(self.doors.set)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await asyncio.sleep(0.002)

    async def until_line_is(self, **expected: int) -> None:
        await self.until(lambda: expected.items() <= dict(self.gate.snapshot()).items())

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator["Connection"]:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            yield connection
        finally:
            await connection.close()

    async def get(self, target: str) -> tuple[int, dict[str, str], bytes]:
        async with self.connection() as connection:
            connection.ask(target)
            return await connection.answer()


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def ask(self, target: str, *, method: str = "GET", body: bytes = b"", length: int | None = None) -> None:
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n"
        if method == "POST":
            head += f"Content-Length: {len(body) if length is None else length}\r\n"
        self.writer.write(head.encode() + b"\r\n" + body)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            status_line, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            return int(status_line.split()[1]), headers, await self.reader.readexactly(int(headers["content-length"]))

    async def close(self) -> None:
        self.writer.close()
        # The server may have closed first, which is what some of the tests are about.
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def answer(send, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for start in range(0, len(body), CHUNK):
        await send({"type": "http.response.body", "body": body[start : start + CHUNK], "more_body": True})
    await send({"type": "http.response.body"})


@in_loop
async def test_300_pages_held_open_leave_the_saves_alone_and_are_answered_in_order():
    with Site() as site:
        pages = [asyncio.ensure_future(site.get(f"/{number}")) for number in range(300)]
        await site.until_line_is(inside=4, waiting=200, refused_total=96)
        for _ in range(100):
            assert (await site.get("/save"))[0] == 200
        assert site.inside == 4
        site.open_doors()
        answers = dict(zip((f"/{number}" for number in range(300)), await asyncio.gather(*pages), strict=True))
        await site.until_line_is(inside=0, waiting=0)
    assert site.most_inside == 4
    assert site.entered == site.arrived[:204]
    assert {answers[target][0] for target in site.entered} == {200}
    for target in site.arrived[204:]:
        status, headers, body = answers[target]
        assert (status, json.loads(body)["code"]) == (503, "busy")
        assert 2 <= int(headers["retry-after"]) <= 5


@in_loop
async def test_after_300_clients_hung_up_nothing_waits_and_the_next_is_served_at_once():
    with Site(line_max=300) as site:
        connections = []
        for number in range(304):
            connection = Connection(*await asyncio.open_connection("127.0.0.1", site.port))
            connection.ask(f"/{number}")
            connections.append(connection)
        await site.until_line_is(inside=4, waiting=300)
        inside = [connections[int(target[1:])] for target in site.entered]
        for connection in connections:
            if connection not in inside:
                connection.writer.transport.abort()
        await site.until_line_is(inside=4, waiting=0, reading=0)
        site.open_doors()
        assert (await site.get("/next"))[0] == 200
        await site.until_line_is(inside=0, waiting=0, refused_total=0)
        assert site.entered[4:] == ["/next"]
        await asyncio.gather(*(connection.close() for connection in connections))


@in_loop
async def test_trickling_bodies_hold_no_place():
    with Site(at_once=1) as site:
        site.doors.set()
        async with contextlib.AsyncExitStack() as stack:
            slow = [await stack.enter_async_context(site.connection()) for _ in range(20)]
            for connection in slow:
                connection.ask("/upload", method="POST", body=b"h", length=4)
            await site.until_line_is(reading=20, inside=0)
            assert (await site.get("/page"))[0] == 200
            for connection in slow:
                connection.writer.write(b"alf")
            assert {(await connection.answer())[2] for connection in slow} == {b"page half"}
        await site.until_line_is(reading=0, inside=0)


@pytest.mark.parametrize("response_buffer_max", [2 * len(LARGE), 1024], ids=["kept", "overflowing"])
@in_loop
async def test_slow_readers_hold_no_place(response_buffer_max):
    with Site(at_once=1, response_buffer_max=response_buffer_max) as site:
        site.doors.set()
        slow = []
        for _ in range(3):
            raw = socket.create_connection(("127.0.0.1", site.port))
            raw.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            slow.append(raw)
        await site.until(lambda: site.entered.count("/large") == 3)
        await site.until_line_is(inside=0, waiting=0)
        assert (await site.get("/page"))[0] == 200
        assert site.server.server_state.tasks  # the large ones are still being written
        for raw in slow:
            with raw, raw.makefile("rb") as answer_file:
                whole = await asyncio.to_thread(answer_file.read)
                assert whole.endswith(LARGE)


@in_loop
async def test_a_browser_that_sends_too_much_still_reads_why():
    with Site(body_max=1024) as site:
        site.doors.set()
        async with site.connection() as connection:
            connection.ask("/upload", method="POST", body=b"x" * 3_000_000)
            await connection.writer.drain()
            status, _, body = await connection.answer()
            assert (status, json.loads(body)["code"]) == (413, "too_large")
            connection.ask("/page")  # and the connection is as good as before
            assert (await connection.answer())[0] == 200


@in_loop
async def test_a_broken_page_is_a_500_and_frees_its_place():
    with Site(at_once=1) as site:
        site.doors.set()
        async with site.connection() as connection:
            connection.ask("/broken")
            assert (await connection.answer())[0] == 500
        assert (await site.get("/page"))[0] == 200
        await site.until_line_is(inside=0)


class Library:
    """A synchronous Django view that stays in its thread until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Event()

    def view(self, request: HttpRequest) -> HttpResponse:
        self.entered.release()
        assert self.go_on.wait(PATIENCE_SECONDS)
        content = b"read " + request.body
        return HttpResponse(content, headers={"Content-Length": len(content)})


library = Library()
urlpatterns = [path("library", lambda request: library.view(request))]


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[], ALLOWED_HOSTS=["localhost"])
@in_loop
async def test_django_behind_the_gate_answers_and_a_hang_up_frees_the_place_with_the_thread():
    global library
    library = Library()
    with Site(ASGIHandler(), at_once=1) as site:
        async with site.connection() as connection:
            connection.ask("/library", method="POST", body=b"a book")
            assert await asyncio.to_thread(library.entered.acquire, timeout=PATIENCE_SECONDS)
            next_page = asyncio.ensure_future(site.get("/library"))
            await site.until_line_is(inside=1, waiting=1)
            connection.writer.transport.abort()
            # Django gives the request up, but its thread works on: the place is taken until the thread is done, or
            # students who press "reload" would fill the process with threads. And the loop is not blocked by it.
            for _ in range(20):
                assert (await site.get("/save"))[0] == 200
            assert (site.gate.snapshot()["inside"], site.gate.snapshot()["waiting"]) == (1, 1)
            library.go_on.set()
            assert (await next_page)[2] == b"read "
        await site.until_line_is(inside=0, waiting=0)
