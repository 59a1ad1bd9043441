"""The gate's places and its line, and what it says to those it does not let in."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.config.gate_room import Client, assert_empty, in_loop, make, settle

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


@in_loop
async def test_no_more_than_at_once_are_inside_and_the_line_moves_first_come_first_served():
    room, gate = make(at_once=4, line_max=100)
    clients = [Client(gate, path=f"/{number}") for number in range(50)]
    await settle()
    assert room.entered == ["/0", "/1", "/2", "/3"]
    assert (gate.snapshot()["inside"], gate.snapshot()["waiting"]) == (4, 46)
    while room.inside:
        room.let_go(max(room.inside))  # however they leave, the next are let in by age
        await settle()
    assert room.entered == [f"/{number}" for number in range(50)]
    assert room.most_inside == 4
    assert [client.text for client in clients] == [f"page /{number}" for number in range(50)]
    assert_empty(gate)


@in_loop
async def test_beyond_the_line_the_answer_is_503_at_once_with_a_time_to_come_back():
    room, gate = make(line_max=3)
    clients = [Client(gate, path=f"/{number}") for number in range(10)]
    await settle()
    refused = clients[4:]
    assert [client.status for client in clients] == [None] * 4 + [503] * 6
    for client in refused:
        answer = json.loads(client.text)
        assert (answer["success"], answer["code"]) == (False, "busy")
        assert 2 <= int(client.headers["retry-after"]) <= 5
        assert 2000 <= answer["retryAfterMs"] <= 1000 * int(client.headers["retry-after"])
        assert client.headers["cache-control"] == "no-store"
        assert client.headers["x-content-type-options"] == "nosniff"
    assert gate.snapshot()["refused_total"] == 6
    while room.inside:
        room.let_all_go()
        await settle()
    assert [client.status for client in clients[:4]] == [200] * 4
    assert_empty(gate)


@pytest.mark.parametrize(("jitter", "retry_after"), [(0.0, "2"), (0.34, "4"), (0.999, "5")])
@in_loop
async def test_the_time_to_come_back_is_spread_upwards(jitter, retry_after):
    _, gate = make(line_max=1, jitter=lambda: jitter)
    clients = [Client(gate) for _ in range(3)]
    await settle()
    assert clients[2].headers["retry-after"] == retry_after
    for client in clients:
        client.task.cancel()


@in_loop
async def test_who_waits_too_long_is_refused_and_leaves_the_line():
    room, gate = make(wait_seconds=0.02)
    first, second = Client(gate, path="/first"), Client(gate, path="/second")
    await second.task
    assert second.status == 503
    assert (gate.snapshot()["inside"], gate.snapshot()["waiting"]) == (1, 0)
    room.let_go("/first")
    await first.task
    assert room.entered == ["/first"]
    assert_empty(gate)


async def refused_page(**request) -> Client:
    _, gate = make(line_max=1, jitter=lambda: 0.5)
    clients = [Client(gate), Client(gate), Client(gate, **request)]
    await settle()
    for client in clients:
        client.task.cancel()
    await asyncio.gather(*(client.task for client in clients), return_exceptions=True)
    return clients[2]


@in_loop
async def test_a_refused_page_says_so_in_indonesian_and_reloads_itself():
    page = await refused_page(accept=HTML)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert '<html lang="id">' in page.text
    assert '<meta http-equiv="refresh" content="4">' in page.text
    assert (
        "Server sedang ramai. Halaman ini memuat ulang sendiri dalam 4 detik. Jawaban yang sudah tersimpan aman."
        in page.text
    )
    assert page.headers["retry-after"] == "4"
    assert not re.search(r"<script|<style|style=|src=|href=|\son\w+=", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        ("", "id"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("id,en;q=0.9", "id"),
        ("id;q=0.3, en-US;q=0.7", "en"),
        ("jv,su;q=0.9", "id"),
        ("en;q=0", "id"),
        ("en;q=much", "id"),
        ("in-ID,in;q=0.9,en;q=0.8", "id"),
    ],
)
@in_loop
async def test_the_language_is_indonesian_unless_english_is_preferred(accept_language, language):
    page = await refused_page(accept=HTML, accept_language=accept_language)
    assert f'<html lang="{language}">' in page.text
    assert ("reloads by itself in 4 seconds" in page.text) == (language == "en")


@in_loop
async def test_a_refused_form_does_not_send_itself_again():
    page = await refused_page(accept=HTML, method="POST", body=b"x", content_length="1")
    assert page.status == 503
    assert "refresh" not in page.text
    assert "Kiriman Anda belum diproses" in page.text


@in_loop
async def test_who_hangs_up_in_the_line_leaves_it_at_once():
    room, gate = make(line_max=300)
    first = Client(gate, path="/first")
    others = [Client(gate, path=f"/{number}") for number in range(300)]
    await settle()
    assert gate.snapshot()["waiting"] == 300
    for client in others:
        client.hang_up()
    await settle()
    assert all(client.task.done() and not client.sent for client in others)
    assert gate.snapshot()["waiting"] == 0
    room.let_go("/first")
    await first.task
    next_one = Client(gate, path="/next")
    await settle()
    assert room.entered == ["/first", "/next"]
    room.let_go("/next")
    await next_one.task
    assert_empty(gate)


LEAVE: dict[str, Callable[[Client], object]] = {
    "hangs up": lambda client: client.hang_up(),
    "is cancelled": lambda client: client.task.cancel(),
}


@pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE.keys())
@pytest.mark.parametrize("turns_between", range(-3, 4))
@in_loop
async def test_a_place_granted_to_someone_who_leaves_in_the_same_turn_goes_to_the_next(leave, turns_between):
    """From "left long before" to "left when just inside", one turn of the event loop at a time."""
    room, gate = make()
    first, second, third = (Client(gate, path=path) for path in ("/first", "/second", "/third"))
    await settle()
    steps = [lambda: room.let_go("/first"), lambda: leave(second)]
    for step in steps if turns_between >= 0 else reversed(steps):
        step()
        for _ in range(abs(turns_between)):
            await asyncio.sleep(0)
    await settle()
    if "/second" in room.inside:  # it was inside already, and this application does not listen for the hang-up
        room.let_go("/second")
        await settle()
    assert list(room.inside) == ["/third"]
    assert (gate.snapshot()["inside"], gate.snapshot()["waiting"]) == (1, 0)
    room.let_go("/third")
    await settle()
    assert first.status == third.status == 200
    assert second.task.done()
    assert_empty(gate)


@in_loop
async def test_who_is_timed_out_in_the_turn_that_grants_the_place_is_served():
    room, gate = make(wait_seconds=0.02)
    Client(gate, path="/first")
    second = Client(gate, path="/second")
    await settle()
    loop = asyncio.get_running_loop()
    time_out_at = loop.time() + 0.02
    while loop.time() <= time_out_at:
        pass  # the loop stands still, so both are due in its next turn
    room.let_go("/first")
    await settle()
    assert list(room.inside) == ["/second"]
    room.let_go("/second")
    await second.task
    assert second.status == 200
    assert_empty(gate)


@in_loop
async def test_an_application_that_raises_frees_its_place_and_the_server_hears_of_it():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half a ", "more_body": True})
        raise LookupError("broken page")

    _, gate = make(app)
    for _ in range(3):
        client = Client(gate)
        with pytest.raises(LookupError):
            await client.task
        assert not client.sent  # so the server can still answer 500
    assert_empty(gate)


@in_loop
async def test_a_complete_response_goes_out_even_if_the_application_breaks_afterwards():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"whole"})
        raise LookupError("after the end")

    _, gate = make(app)
    client = Client(gate)
    with pytest.raises(LookupError):
        await client.task
    assert client.text == "whole"
    assert_empty(gate)


@pytest.mark.parametrize("where", ["inside", "waiting", "reading", "writing"])
@in_loop
async def test_a_cancelled_request_leaves_nothing_behind(where):
    room, gate = make()
    options: dict[str, Any] = {"path": "/it"}
    if where == "reading":
        options |= {"body": None, "content_length": "9"}
    elif where == "writing":
        options |= {"slow_reader": True}
    first = Client(gate, path="/first") if where == "waiting" else None
    client = Client(gate, **options)
    await settle()
    if where == "writing":
        room.let_go("/it")
        await settle()
    client.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.task
    if first is not None:
        room.let_go("/first")
        await first.task
    assert_empty(gate)
    other = Client(gate, path="/other")
    await settle()
    room.let_go("/other")
    await other.task
    assert other.status == 200


@in_loop
async def test_snapshot_tells_the_age_of_the_oldest_waiting_request():
    now = 100.0
    room, gate = make(clock=lambda: now)
    Client(gate, path="/first")
    await settle()
    Client(gate, path="/second")
    await settle()
    now = 103.5
    Client(gate, path="/third")
    await settle()
    now = 104.0
    assert gate.snapshot()["oldest_wait_seconds"] == 4.0
    room.let_go("/first")
    await settle()
    assert gate.snapshot()["oldest_wait_seconds"] == 0.5
    while room.inside:
        room.let_all_go()
        await settle()
    assert_empty(gate)


@in_loop
async def test_refusals_are_logged_once_a_minute(caplog):
    now = 0.0
    _, gate = make(line_max=1, clock=lambda: now)
    clients = [Client(gate) for _ in range(9)]
    await settle()
    assert [record.action for record in caplog.records] == ["page_refused"]
    now = 60.0
    clients.append(Client(gate))
    await settle()
    assert len(caplog.records) == 2
    for client in clients:
        client.task.cancel()


@pytest.mark.parametrize("option", ["at_once", "line_max", "wait_seconds", "body_seconds"])
def test_numbers_that_would_refuse_everyone_are_not_accepted(option):
    with pytest.raises(ValueError, match=option):
        make(**{option: 0})


@in_loop
async def test_only_http_comes_to_the_gate():
    _, gate = make()
    with pytest.raises(ValueError, match="websocket"):
        await gate({"type": "websocket"}, None, None)


@settings(max_examples=150, deadline=None)
@given(
    at_once=st.integers(1, 4),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["arrive", "upload", "hang up", "cancel", "finish", "raise", "turn", "settle"]),
            st.integers(0, 30),
        ),
        max_size=60,
    ),
)
def test_whatever_happens_places_are_kept_and_all_come_back(at_once, steps):
    @in_loop
    async def run():
        room, gate = make(at_once=at_once, line_max=6)
        clients: list[Client] = []
        for number, (step, choice) in enumerate(steps):
            if step == "arrive":
                clients.append(Client(gate, path=f"/{number}"))
            elif step == "upload":
                clients.append(Client(gate, path=f"/{number}", body=None, content_length="2"))
                clients[-1].upload(b"x", more=True)
            elif step in {"hang up", "cancel"} and clients:
                client = clients[choice % len(clients)]
                client.hang_up() if step == "hang up" else client.task.cancel()
            elif step in {"finish", "raise"} and room.inside:
                future = list(room.inside.values())[choice % len(room.inside)]
                if not future.done():
                    future.set_result(None) if step == "finish" else future.set_exception(LookupError())
            elif step == "turn":
                await asyncio.sleep(0)
            elif step == "settle":
                await settle()
                snapshot = gate.snapshot()
                assert snapshot["inside"] == len(room.inside)
                # Nobody waits while a place is free.
                assert not snapshot["waiting"] or snapshot["inside"] == at_once
            assert gate.snapshot()["inside"] <= at_once
            assert gate.snapshot()["waiting"] + gate.snapshot()["reading"] <= 6
        for client in clients:
            client.upload(b"y", more=False)  # whoever was still uploading comes to an end
        for _ in range(len(clients) + 1):
            await settle()
            for future in room.inside.values():
                if not future.done():
                    future.set_result(None)
        await settle()
        assert room.most_inside <= at_once
        assert all(client.task.done() for client in clients)
        await asyncio.gather(*(client.task for client in clients), return_exceptions=True)
        assert_empty(gate)

    run()
