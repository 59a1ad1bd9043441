"""What goes through the gate: bodies before a place is taken, responses after it is given back, hang-ups in between."""

import asyncio
import json

import pytest

from tests.config.gate_room import Client, assert_empty, in_loop, make, settle

START = {"type": "http.response.start", "status": 200, "headers": []}


def upload(gate, *, path="/upload", length="100", **options) -> Client:
    return Client(gate, path=path, method="POST", body=None, content_length=length, **options)


@in_loop
async def test_a_body_that_trickles_in_holds_no_place_and_arrives_whole():
    room, gate = make()
    slow = upload(gate)
    slow.upload(b"half", more=True)
    await settle()
    assert (gate.snapshot()["inside"], gate.snapshot()["reading"]) == (0, 1)
    page = Client(gate, path="/page")
    await settle()
    room.let_go("/page")
    await page.task
    assert page.status == 200
    slow.upload(b"", more=True)
    slow.upload(b" and half", more=False)
    await settle()
    assert room.bodies["/upload"] == b"half and half"
    room.let_go("/upload")
    await slow.task
    assert slow.status == 200
    assert_empty(gate)


@in_loop
async def test_bodies_being_read_count_as_part_of_the_line():
    room, gate = make(line_max=3)
    slow = [upload(gate, path=f"/{number}") for number in range(5)]
    await settle()
    assert [client.status for client in slow] == [None, None, None, 503, 503]
    # A page without a body needs no room to be read in: slow uploads do not shut it out while a place is free.
    page = Client(gate, path="/page")
    await settle()
    assert list(room.inside) == ["/page"]
    refused = Client(gate)
    await settle()
    assert refused.status == 503
    for client in slow[:3]:
        client.upload(b"", more=False)
    await settle()
    assert (gate.snapshot()["reading"], gate.snapshot()["waiting"]) == (0, 3)
    while room.inside:
        room.let_all_go()
        await settle()
    assert [client.status for client in [page, *slow[:3]]] == [200] * 4
    assert_empty(gate)


@in_loop
async def test_who_hangs_up_while_sending_the_body_is_forgotten():
    room, gate = make()
    client = upload(gate)
    client.upload(b"half", more=True)
    await settle()
    client.hang_up()
    await client.task
    assert not client.sent
    assert not room.entered
    assert_empty(gate)


@in_loop
async def test_a_body_that_never_ends_is_answered_408():
    room, gate = make(body_seconds=0.02)
    client = upload(gate, transfer_encoding="chunked")
    client.upload(b"half", more=True)
    await client.task
    assert (client.status, json.loads(client.text)["code"]) == (408, "body_timeout")
    assert client.headers["connection"] == "close"
    assert not room.entered
    assert_empty(gate)


@in_loop
async def test_a_body_declared_too_large_is_refused_unread():
    _, gate = make(body_max=1024)
    client = upload(gate, length="1025")
    await client.task
    assert (client.status, json.loads(client.text)["code"]) == (413, "too_large")
    assert client.received == 0
    # The browser may finish sending, and so sees the sentence; only what could go on for ever is cut off.
    assert "connection" not in client.headers
    endless = upload(gate, length="9" * 40)
    await endless.task
    assert (endless.status, endless.headers["connection"]) == (413, "close")
    assert_empty(gate)


@pytest.mark.parametrize("declared", [{"content_length": "10"}, {"transfer_encoding": "chunked"}, {}])
@in_loop
async def test_a_body_that_grows_too_large_is_refused_whatever_it_declared(declared):
    room, gate = make(body_max=1024)
    client = Client(gate, method="POST", body=None, accept="text/html", **declared)
    client.upload(b"x" * 1000, more=True)
    client.upload(b"x" * 25, more=True)
    await client.task
    assert client.status == 413
    assert "Batasnya 1 KiB" in client.text
    assert not room.entered
    assert_empty(gate)


@in_loop
async def test_some_paths_may_take_larger_bodies():
    room, gate = make(body_max=lambda path: 2000 if path.startswith("/admin/") else 1000)
    small = upload(gate, path="/login", length="1500")
    large = upload(gate, path="/admin/import", length="1500")
    large.upload(b"x" * 1500, more=False)
    await settle()
    assert small.status == 413
    assert room.bodies == {"/admin/import": b"x" * 1500}
    room.let_all_go()
    await large.task


@in_loop
async def test_a_slow_reader_holds_no_place():
    room, gate = make()
    slow = Client(gate, path="/slow", slow_reader=True)
    await settle()
    room.let_go("/slow")
    await settle()
    assert not slow.task.done()
    assert_empty(gate)
    other = Client(gate, path="/other")
    await settle()
    room.let_go("/other")
    await other.task
    assert other.status == 200
    slow.reads.set()
    await slow.task
    assert slow.text == "page /slow"


@in_loop
async def test_a_response_larger_than_the_buffer_flows_and_holds_no_place():
    chunks = [bytes([65 + number]) * 40 for number in range(10)]
    sent = []

    async def app(scope, receive, send):
        await receive()
        await send(START)
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            sent.append(chunk)
        await send({"type": "http.response.body", "body": b"!"})

    _, gate = make(app, response_buffer_max=100)
    slow = Client(gate, slow_reader=True)
    await settle()
    assert len(sent) == 2  # 80 bytes are kept, the third chunk has to wait for the client
    assert_empty(gate)
    slow.reads.set()
    await slow.task
    assert slow.text == b"".join(chunks).decode() + "!"
    assert_empty(gate)


@in_loop
async def test_nothing_is_sent_before_the_application_is_done():
    go_on = asyncio.Event()

    async def app(scope, receive, send):
        await send(START)
        await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"y"})

    _, gate = make(app, response_buffer_max=100)
    client = Client(gate)
    await settle()
    assert not client.sent
    go_on.set()
    await client.task
    assert client.text == "x" * 100 + "y"


async def listening(scope, receive, send):
    """Does as Django's handler: reads the body, then works and listens for the hang-up, whichever ends first."""
    assert (await receive())["type"] == "http.request"
    listen = asyncio.ensure_future(receive())
    work = asyncio.ensure_future(scope["work"](send))
    await asyncio.wait((listen, work), return_when=asyncio.FIRST_COMPLETED)
    for task in (listen, work):
        task.cancel()
    await asyncio.gather(listen, work, return_exceptions=True)


@pytest.mark.parametrize("waited_in_line", [False, True])
@in_loop
async def test_the_application_hears_of_a_hang_up(waited_in_line):
    cancelled = []

    async def work(send):
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    _, gate = make(listening)
    clients = [Client(gate) for _ in range(2 if waited_in_line else 1)]
    for client in clients:
        client.scope["work"] = work
    for number, client in enumerate(clients, start=1):
        await settle()
        client.hang_up()
        await client.task
        assert len(cancelled) == number
        assert not client.sent
    assert_empty(gate)


@in_loop
async def test_the_application_may_stop_listening_and_listen_again():
    """A cancelled `receive()` takes no message with it."""
    heard = []

    async def app(scope, receive, send):
        await receive()
        for _ in range(3):
            listen = asyncio.ensure_future(receive())
            await asyncio.sleep(0)
            listen.cancel()
            await asyncio.gather(listen, return_exceptions=True)
        heard.append(await receive())

    _, gate = make(app)
    client = Client(gate)
    await settle()
    assert not heard
    client.hang_up()
    await client.task
    assert heard == [{"type": "http.disconnect"}]
    assert_empty(gate)


@in_loop
async def test_a_complete_response_ends_the_connection_for_the_application():
    """Some frameworks wait for this before they return: they must not wait for ever, in their place."""
    heard = []

    async def app(scope, receive, send):
        await receive()
        early = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await send(START)
        await send({"type": "http.response.body", "body": b"whole"})
        heard.extend([await early, await receive()])

    _, gate = make(app)
    client = Client(gate)
    await settle()
    assert client.task.done()
    assert heard == [{"type": "http.disconnect"}] * 2
    assert client.text == "whole"
    assert_empty(gate)


@in_loop
async def test_an_application_that_answers_nothing_is_left_to_the_server():
    async def app(scope, receive, send):
        await receive()

    _, gate = make(app)
    client = Client(gate)
    await client.task
    assert not client.sent
    assert_empty(gate)


@pytest.mark.parametrize("where", ["waiting", "inside"])
@in_loop
async def test_a_server_whose_receive_breaks_is_heard_and_costs_no_place(where):
    async def work(send):
        await asyncio.get_running_loop().create_future()

    _, gate = make(listening)
    clients = [Client(gate), Client(gate)]
    for client in clients:
        client.scope["work"] = work
    await settle()
    broken = clients[1] if where == "waiting" else clients[0]
    broken.incoming.put_nowait(OSError("broken server"))
    with pytest.raises(OSError, match="broken server"):
        await broken.task
    for client in clients:
        client.hang_up()
    await settle()
    assert_empty(gate)
