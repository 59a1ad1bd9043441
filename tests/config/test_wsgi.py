"""The pages on a WSGI server, as a large school may serve them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.web import PROJECT, url_of_test_database, wait_until


@pytest.mark.django_db(transaction=True)
def test_gunicorn_serves_the_pages_with_a_pool_of_their_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    command = [gunicorn, "config.wsgi", f"--bind=127.0.0.1:{port}", "--threads=4"]
    environment = {**os.environ, "DATABASE_URL": url_of_test_database(), "DJANGO_SETTINGS_MODULE": "config.settings"}
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: answers(url), 20, "an answer")
            assert httpx.get(f"{url}/api/auth/session").json()["student"] is None
            assert httpx.get(f"{url}/admin/login/").status_code == 200
            saves = httpx.post(f"{url}/api/siswa/ujian/1/save-answer", json={})
            assert saves.status_code == 404, "saves are for the ASGI processes: docs/howto/deploy.md"
        finally:
            server.terminate()
            assert server.wait(timeout=15) == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code > 0
    except httpx.TransportError:
        return False
