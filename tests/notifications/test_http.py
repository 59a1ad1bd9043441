"""One HTTP request: its bounds hold against every server, and a failure says whether anything was written."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from notifications import bounded_connection, http
from notifications.bounded_connection import current, limited_to
from tests.gateway import server
from tests.gateway.server import GatewayServer

BODY = b"target=628123456789&message=halo"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    http.forget_connections()
    with GatewayServer() as running:
        yield running


def send_request(gateway: GatewayServer | str, path: str = "/send") -> http.Request:
    url = gateway if isinstance(gateway, str) else gateway.url
    return http.Request(url=url + path, headers=FORM, body=BODY)


def test_an_answer_is_status_and_body(gateway: GatewayServer) -> None:
    answer = http.exchange(send_request(gateway))
    assert answer.status == 200
    assert answer.fields["status"] is True
    assert gateway.requests[0].body == BODY
    assert gateway.requests[0].headers["user-agent"] == "tahan-uji"


@pytest.mark.parametrize(
    "behaviour",
    [server.hang(), server.drip(seconds=0.05), server.drip_headers(seconds=0.05)],
    ids=["hang", "drip", "drip_headers"],
)
def test_the_deadline_holds_whatever_the_server_does(behaviour: server.Behaviour, gateway: GatewayServer) -> None:
    gateway.always(behaviour)
    began = time.monotonic()
    with pytest.raises(http.MaybeSent, match="deadline"):
        http.exchange(send_request(gateway), seconds=0.4)
    assert 0.35 < time.monotonic() - began < 1.2


def test_a_slow_server_within_the_bounds_is_waited_for(gateway: GatewayServer) -> None:
    gateway.always(server.ok(after_seconds=0.3))
    assert http.exchange(send_request(gateway), seconds=5).status == 200


def test_a_read_is_bounded_on_its_own(gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.3)
    monkeypatch.setattr(bounded_connection, "READ_SECONDS", 0.3)
    gateway.always(server.hang())
    with pytest.raises(http.MaybeSent, match=r"no byte for 0\.3 s before the answer began"):
        http.exchange(send_request(gateway), seconds=5)


def test_a_connection_that_nobody_takes_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_connection, "CONNECT_SECONDS", 0.3)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # The line of one is full: the next connection hangs in the air.
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        began = time.monotonic()
        with pytest.raises(http.NotSent, match="no connection within"):
            http.exchange(send_request(f"http://127.0.0.1:{full.getsockname()[1]}"))
        assert time.monotonic() - began < 2
        for one in waiting:
            one.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://no-such-host.invalid", "name was not found"),
        ("http://", "could not be made"),
        ("nonsense", "could not be made"),
        ("http://[::1", "could not be made"),
        (f"http://{'a' * 70}.example", "could not be made|not found|no valid name"),
    ],
)
def test_an_address_that_leads_nowhere_was_not_sent(url: str, said: str) -> None:
    with pytest.raises(http.NotSent, match=said):
        http.exchange(send_request(url))


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(bounded_connection, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: [over.wait(30)][:0])
    began = time.monotonic()
    with pytest.raises(http.NotSent, match="name was not found"):
        http.exchange(send_request("http://slow.example"))
    over.set()
    assert time.monotonic() - began < 2


def test_the_second_address_is_tried_when_the_first_is_dead(
    gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    found = [(*kind, ("127.0.0.1", 1)), (*kind, ("127.0.0.1", gateway.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: found)
    assert http.exchange(send_request(gateway)).status == 200


@pytest.mark.parametrize(
    ("behaviour", "said", "status"),
    [
        (server.reset(), "before the answer began", None),
        (server.cut(), "within the answer", 200),
    ],
    ids=["reset", "cut"],
)
def test_a_broken_connection_may_have_sent(
    behaviour: server.Behaviour, said: str, status: int | None, gateway: GatewayServer
) -> None:
    gateway.always(behaviour)
    with pytest.raises(http.MaybeSent, match=said) as caught:
        http.exchange(send_request(gateway))
    assert caught.value.status == status


def test_an_answer_is_cut_at_its_bound_and_then_no_json(gateway: GatewayServer) -> None:
    gateway.script([server.answers(200, b'{"a":"' + b"x" * 200_000 + b'"}')])
    answer = http.exchange(send_request(gateway))
    assert (len(answer.body), answer.is_cut, answer.json) == (http.ANSWER_MAX_BYTES, True, None)
    assert http.exchange(send_request(gateway)).status == 200


def test_connections_are_kept_but_not_after_they_idled(gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        http.exchange(send_request(gateway))
    assert gateway.connections == 1
    monkeypatch.setattr(bounded_connection, "_IDLE_SECONDS", 0.0)
    http.exchange(send_request(gateway))
    assert gateway.connections == 2


def test_a_fork_starts_without_connections(gateway: GatewayServer) -> None:
    http.exchange(send_request(gateway))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"kept" if http._kept else b"none")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 4) == b"none"
    os.close(reader)
    os.close(writer)


def test_threads_do_not_mix_their_answers(gateway: GatewayServer) -> None:
    wrong: list[str] = []

    def many(number: int) -> None:
        for turn in range(20):
            receiver = f"62812{number:04d}{turn:04d}"
            body = f"target={receiver}&message=x".encode()
            answer = http.exchange(http.Request(url=f"{gateway.url}/send", headers=FORM, body=body))
            if answer.fields["target"] != [receiver]:
                wrong.append(receiver)

    threads = [threading.Thread(target=many, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(gateway.accepted) == 160


def test_cookies_are_not_kept(gateway: GatewayServer) -> None:
    gateway.always(server.answers(200, b"{}", Set_Cookie="a=b; Path=/"))
    for _ in range(2):
        http.exchange(send_request(gateway))
    assert "cookie" not in gateway.requests[1].headers


def test_nothing_is_taken_from_the_environment(
    gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    request = http.Request(url=f"{gateway.url}/send", headers={**FORM, "Authorization": "ours"}, body=BODY)
    http.exchange(request)
    assert gateway.requests[0].headers["authorization"] == "ours"


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("999999999", 86400.0), ("soon", None), ("-5", None), ("", None), ("1.5", None)]
)
def test_a_wish_to_wait_is_seconds(header: str, seconds: float | None, gateway: GatewayServer) -> None:
    gateway.always(server.http_429(header))
    assert http.exchange(send_request(gateway)).retry_after_seconds == seconds


@pytest.mark.parametrize(("ahead", "least", "most"), [(60, 50, 61), (-60, 0, 0)])
def test_a_wish_to_wait_may_be_a_date(ahead: int, least: int, most: int, gateway: GatewayServer) -> None:
    gateway.always(server.http_429(format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)))
    after = http.exchange(send_request(gateway)).retry_after_seconds
    assert after is not None
    assert least <= after <= most


def test_nothing_of_a_request_is_shown(gateway: GatewayServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    gateway.always(server.reset())
    request = http.Request(url=f"{gateway.url}/send?phone=628123456789", headers={"Authorization": "geheim"}, body=BODY)
    with pytest.raises(http.MaybeSent) as caught:
        http.exchange(request)
    seen = repr(request) + repr(caught.value) + caplog.text
    assert caught.value.__cause__ is None
    assert [value for value in ("geheim", "628123456789", "halo", "/send") if value in seen] == []


def test_outside_of_a_limit_there_is_no_exchange() -> None:
    with pytest.raises(RuntimeError):
        current()


def test_an_inner_limit_never_outlasts_the_outer_one() -> None:
    with limited_to(1) as outer, limited_to(5) as inner:
        assert inner.ends_at == outer.ends_at
        assert current() is inner
    with limited_to(5) as outer, limited_to(1) as inner:
        assert inner.ends_at < outer.ends_at


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "gateway.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@pytest.fixture
def tls_gateway(certificate: Path) -> Iterator[GatewayServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with GatewayServer(tls=context) as running:
        yield running


def test_a_certificate_that_nobody_has_signed_is_refused_before_anything_is_sent(tls_gateway: GatewayServer) -> None:
    with pytest.raises(http.NotSent, match="TLS: self"):
        http.exchange(send_request(f"https://localhost:{tls_gateway.port}"))
    assert tls_gateway.requests == []


def test_the_schools_own_authority_is_believed_where_it_is_named(tls_gateway: GatewayServer, certificate: Path) -> None:
    request = http.Request(
        url=f"https://localhost:{tls_gateway.port}/send", headers=FORM, body=BODY, ca_file=str(certificate)
    )
    assert http.exchange(request).status == 200


def test_a_certificate_of_another_name_is_refused(tls_gateway: GatewayServer, certificate: Path) -> None:
    request = http.Request(url=f"{tls_gateway.url}/send", headers=FORM, body=BODY, ca_file=str(certificate))
    with pytest.raises(http.NotSent, match="TLS"):
        http.exchange(request)


def test_tls_keeps_the_deadline_too(tls_gateway: GatewayServer, certificate: Path) -> None:
    tls_gateway.always(server.drip_headers(seconds=0.05))
    request = http.Request(
        url=f"https://localhost:{tls_gateway.port}/send", headers=FORM, body=BODY, ca_file=str(certificate)
    )
    began = time.monotonic()
    with pytest.raises(http.MaybeSent, match="deadline"):
        http.exchange(request, seconds=0.6)
    assert time.monotonic() - began < 1.5


def test_a_server_that_does_not_speak_tls_was_not_sent_to(gateway: GatewayServer) -> None:
    with pytest.raises(http.NotSent):
        http.exchange(send_request(gateway.url.replace("http://", "https://")))
    assert gateway.sends == []


def test_a_server_that_never_shakes_hands_was_not_sent_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(bounded_connection, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(http.NotSent):
            http.exchange(send_request(f"https://127.0.0.1:{silent.getsockname()[1]}"))
        assert time.monotonic() - began < 2
