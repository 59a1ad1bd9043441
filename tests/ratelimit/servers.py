"""Servers that are not Redis, or not a good one: real sockets on 127.0.0.1, closed at the end of the `with`."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread

#: Gets what the client sent; returns what to answer, or None to hang up.
Answer = Callable[[bytes], bytes | None]


def dead_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


class AnsweringServer:
    """Answers each read with `answer(data)`, in one thread per connection; `connections` counts who came."""

    def __init__(self, answer: Answer, *, pause_seconds: float = 0.0) -> None:
        self.answer = answer
        self.connections = 0
        self._pause_seconds = pause_seconds
        self._stopped = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def stop(self) -> None:
        self._stopped.set()
        for each in self._open:
            # Wakes the thread that waits in accept() or recv(), which close() alone does not.
            with suppress(OSError):  # hung up already
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while data := connection.recv(65536):
                reply = self.answer(data)
                if reply is None:
                    break
                if not self._pause_seconds:
                    connection.sendall(reply)
                    continue
                for byte in reply:
                    connection.sendall(bytes([byte]))
                    if self._stopped.wait(self._pause_seconds):
                        return
        except OSError:
            return  # the client hung up, or stop() did
        finally:
            connection.close()


@contextmanager
def answering(answer: Answer, *, pause_seconds: float = 0.0) -> Iterator[AnsweringServer]:
    """Serve *answer*; with *pause_seconds*, byte by byte."""
    server = AnsweringServer(answer, pause_seconds=pause_seconds)
    try:
        yield server
    finally:
        server.stop()


class LittleRedis:
    """As much of Redis as counting needs, honest until told what to answer to a command instead (`lies`)."""

    def __init__(self) -> None:
        self.counts: dict[bytes, int] = {}
        self.asked: list[bytes] = []
        self.lies: dict[bytes, bytes] = {}
        self._lock = Lock()

    def __call__(self, data: bytes) -> bytes:
        with self._lock:
            # *2\r\n$4\r\nINCR\r\n$1\r\nk\r\n -> INCR, k; one command per read: the client waits for each answer.
            words = data.split(b"\r\n")[2::2]
            command, key = words[0].upper(), words[1]
            self.asked.append(command)
            return self.lies.get(command) or self._answer(command, key)

    def _answer(self, command: bytes, key: bytes) -> bytes:
        if command == b"SET":
            if key in self.counts:
                return b"$-1\r\n"
            self.counts[key] = 1
            return b"+OK\r\n"
        if command == b"EXISTS":
            return b":%d\r\n" % (key in self.counts)
        if command == b"INCRBY":
            self.counts[key] += 1
            return b":%d\r\n" % self.counts[key]
        if command == b"TTL":
            return b":10\r\n"
        return b"-ERR unknown command\r\n"
