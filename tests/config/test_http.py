"""The bounds of a connection, on real sockets against a real uvicorn."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from time import monotonic

import pytest
import uvicorn

from config import http

GET = b"GET /seen HTTP/1.1\r\nhost: school\r\n\r\n"


class Application:
    """Answers with the length of the body it read; /unread answers at once, /hold and /stall do not."""

    def __init__(self) -> None:
        self.scopes: list[dict] = []
        self.ended = threading.Event()
        self.goes_on = threading.Event()

    async def __call__(self, scope, receive, send) -> None:
        self.scopes.append(scope)
        size = 0
        while scope["path"] == "/stall" and not self.goes_on.is_set():
            await asyncio.sleep(0.01)
        if scope["path"] == "/hold":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        while scope["path"] != "/unread":
            message = await receive()
            if message["type"] == "http.disconnect":
                self.ended.set()
                return
            size += len(message["body"])
            if not message["more_body"]:
                break
        body = str(size).encode()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", str(len(body)).encode())],
            }
        )
        await send({"type": "http.response.body", "body": body})


class Server:
    def __init__(self, **options: object) -> None:
        self.app = Application()
        self.listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(**http.serve_config() | {"app": self.app, "lifespan": "off", **options})
        self.uvicorn = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.uvicorn.run, args=([self.listener],))
        self.thread.start()

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.listener.getsockname(), timeout=5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def close(self) -> None:
        self.uvicorn.should_exit = True
        self.thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def connection(server: Server) -> Iterator[socket.socket]:
    with server.connect() as connection:
        yield connection


def answer(connection: socket.socket) -> bytes:
    """One whole answer (head and body)."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += (piece := connection.recv(65536))
        assert piece, received
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def is_closed(connection: socket.socket) -> bool:
    """Wait (5 s) for the server to close or reset the connection."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_a_request_is_answered_and_the_connection_kept(connection, server):
    for _ in range(3):
        connection.sendall(b"POST /seen HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello")
        assert answer(connection).endswith(b"\r\n\r\n5")
    assert len(server.app.scopes) == 3
    assert b"server:" not in answer_of(server, GET).lower()


def answer_of(server: Server, request: bytes) -> bytes:
    with server.connect() as connection:
        connection.sendall(request)
        return answer(connection)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\ncookie: " + b"c" * 33_000 + b"\r\n\r\n",
        b"GET /" + b"p" * 33_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: 1\r\n" % n for n in range(101)) + b"\r\n",
    ],
    ids=["one large header", "a long target", "101 headers"],
)
def test_a_head_that_is_too_large_is_refused_before_the_application(connection, server, head):
    connection.sendall(head)
    assert answer(connection).startswith(b"HTTP/1.1 431 ")
    assert is_closed(connection)
    assert server.app.scopes == []


def test_the_largest_head_passes(connection, server):
    connection.sendall(b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: 1\r\n" % n for n in range(99)) + b"c: 1\r\n\r\n")
    assert answer(connection).startswith(b"HTTP/1.1 200 ")
    connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\ncookie: " + b"c" * 32_000 + b"\r\n\r\n")
    assert answer(connection).startswith(b"HTTP/1.1 200 ")
    assert [len(scope["headers"]) for scope in server.app.scopes] == [100, 2]


def test_a_head_without_an_end_is_refused_when_it_has_grown_too_large(connection):
    connection.sendall(b"GET / HTTP/1.1\r\ncookie: ")
    for _ in range(33):
        connection.sendall(b"c" * 1000)
    assert answer(connection).startswith(b"HTTP/1.1 431 ")
    assert is_closed(connection)


def test_a_slow_head_ends_the_connection(server, monkeypatch):
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.3)
    with server.connect() as first, server.connect() as second:
        first.sendall(b"GET / HTTP/1.1\r\nx-")
        second.sendall(GET)  # a good first request must not buy time for the next one
        answer(second)
        second.sendall(b"G")
        assert is_closed(first)
        assert is_closed(second)


def test_a_trickling_head_gains_no_time(connection, monkeypatch):
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.4)
    connection.sendall(b"GET / HTTP/1.1\r\nx: ")
    connection.settimeout(0.05)
    began = monotonic()
    while monotonic() - began < 3:
        try:
            connection.sendall(b"y")
            if connection.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            break
    assert 0.2 < monotonic() - began < 2


def test_stray_line_ends_do_not_hold_a_connection(connection, monkeypatch):
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.3)
    connection.sendall(GET)
    answer(connection)
    connection.sendall(b"\r\n")
    assert is_closed(connection)


def test_a_body_may_take_longer_than_a_head_but_not_for_ever(server, monkeypatch):
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(http, "BODY_SECONDS", 1.0)
    with server.connect() as slow, server.connect() as stuck:
        for connection in (slow, stuck):
            connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-le")
            threading.Event().wait(0.05)
            connection.sendall(b"ngth: 6\r\n\r\nabc")
        threading.Event().wait(0.4)  # longer than a head may take
        slow.sendall(b"def")
        assert answer(slow).endswith(b"\r\n\r\n6")
        assert is_closed(stuck)
    assert server.app.ended.wait(2), "the application was not told"


def test_a_body_beyond_every_bound_ends_the_connection(connection, monkeypatch):
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 200_000)
    connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n")
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        connection.sendall(b"b" * 100_000_000)


def test_a_body_nobody_reads_is_not_buffered(connection, server):
    connection.settimeout(0.5)
    connection.sendall(b"POST /stall HTTP/1.1\r\nhost: x\r\ncontent-length: 60000000\r\n\r\n")
    with pytest.raises(TimeoutError):
        connection.sendall(b"b" * 60_000_000)
    (protocol,) = server.uvicorn.server_state.connections
    assert 0 < len(protocol.cycle.body) < 512 * 1024
    server.app.goes_on.set()


def test_trailers_are_not_headers_and_take_no_memory(connection, server):
    connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
    connection.sendall(b"".join(b"x-forwarded-for: 10.0.0.%d\r\n" % n for n in range(200)) + b"\r\n")
    assert answer(connection).endswith(b"\r\n\r\n1")
    assert [name for name, _ in server.app.scopes[0]["headers"]] == [b"host", b"transfer-encoding"]
    assert list(http._TRAILERS) == []


def test_an_endless_trailer_ends_the_connection(connection, monkeypatch):
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 200_000)
    connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: ")
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        connection.sendall(b"t" * 100_000_000)


def test_idle_connections_are_closed(monkeypatch):
    monkeypatch.setattr(http, "KEEP_ALIVE_SECONDS", 0.3)
    server = Server(timeout_keep_alive=0.3)
    try:
        with server.connect() as silent, server.connect() as done:
            done.sendall(GET)
            answer(done)
            assert is_closed(done)
            assert is_closed(silent)
    finally:
        server.close()


def test_a_waiting_request_is_not_ended_by_the_deadlines(server, monkeypatch):
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(http, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(http, "KEEP_ALIVE_SECONDS", 0.2)
    with server.connect() as connection:
        connection.sendall(GET.replace(b"/seen", b"/hold"))
        connection.settimeout(0.8)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_pipelined_requests_are_answered_in_order(connection, server):
    body = b"b" * 20_000
    post = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 20000\r\n\r\n" + body
    connection.sendall((post + GET) * 4)  # heads begin in the middle of what is received
    received = b""
    while received.count(b"HTTP/1.1 200") < 8 or not received.endswith(b"0"):
        received += connection.recv(65536)
    assert [part.rpartition(b"\r\n")[2] for part in received.split(b"HTTP/1.1 200")[1:]] == [b"20000", b"0"] * 4


def test_an_upgrade_is_answered_as_a_plain_request(connection, caplog):
    connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
    assert answer(connection).startswith(b"HTTP/1.1 200 ")
    assert "pip install" not in caplog.text


def test_an_early_answer_leaves_the_connection_usable(connection):
    connection.sendall(b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
    assert answer(connection).endswith(b"\r\n\r\n0")
    connection.sendall(b"b" * 100_000)
    connection.sendall(GET)
    assert answer(connection).endswith(b"\r\n\r\n0")


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET /\xff HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_not_http_is_refused(connection, garbage):
    connection.sendall(garbage)
    assert answer(connection).startswith(b"HTTP/1.1 400 ")
    assert is_closed(connection)


class Transport:
    """Remembers what reached it, in the pieces in which it came."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True


HEAD_BYTES = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


def test_a_head_leaves_together_with_its_body():
    transport = Transport()
    joining = http._JoiningTransport(transport)  # type: ignore[arg-type]
    joining.write(HEAD_BYTES)
    assert transport.written == []
    joining.write(b"ok")
    joining.write(b"more")
    assert transport.written == [HEAD_BYTES + b"ok", b"more"]


def test_a_head_without_a_body_leaves_at_the_end_and_before_a_close():
    transport = Transport()
    joining = http._JoiningTransport(transport)  # type: ignore[arg-type]
    joining.write(HEAD_BYTES)
    joining.flush()
    joining.flush()
    assert transport.written == [HEAD_BYTES]
    joining.write(HEAD_BYTES)
    joining.close()
    assert (transport.written, transport.is_closed) == ([HEAD_BYTES, HEAD_BYTES], True)


def test_a_body_that_looks_like_a_head_is_not_kept():
    transport = Transport()
    joining = http._JoiningTransport(transport)  # type: ignore[arg-type]
    joining.write(HEAD_BYTES)
    joining.write(HEAD_BYTES)
    assert transport.written == [HEAD_BYTES + HEAD_BYTES]


def test_a_client_that_waits_for_100_continue_gets_it_at_once(server: Server):
    with server.connect() as connection:
        connection.sendall(b"POST /seen HTTP/1.1\r\nhost: s\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"ab")
        assert b" 200 " in connection.recv(1000)


def test_a_head_request_is_answered_and_the_connection_goes_on(server: Server):
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(b"HEAD /seen HTTP/1.1\r\nhost: s\r\n\r\n")
            answer = connection.recv(1000)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.endswith(b"\r\n\r\n")


def test_a_body_behind_an_upgrade_is_never_taken_for_the_next_request(server: Server):
    hidden = b"GET /hidden HTTP/1.1\r\nhost: s\r\n\r\n"
    head = b"POST /seen HTTP/1.1\r\nhost: s\r\nconnection: Upgrade\r\nupgrade: h2c\r\ncontent-length: %d\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(head % len(hidden))
        answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"Upgrade" in answer
        assert connection.recv(1000) == b"", "the connection is closed"
    assert [scope["path"] for scope in server.app.scopes if scope["path"] == "/hidden"] == []


def test_a_request_without_a_body_that_offers_an_upgrade_is_answered_and_the_connection_ends(server: Server):
    with server.connect() as connection:
        connection.sendall(b"GET /seen HTTP/1.1\r\nhost: s\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert connection.recv(1000) == b""
