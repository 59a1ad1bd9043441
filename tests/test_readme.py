"""The README's walk-through works as it is printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from exams.models import Answer, Exam, Student
from tests.web import PROJECT, WebProcess


def walk_through() -> str:
    [block] = re.findall(r"^```sh\n(.*?)^```", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return block


@pytest.mark.django_db(transaction=True)
def test_the_walk_through_saves_an_answer(web: WebProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAHAN_UJI_VAR", str(tmp_path / "var"))
    port = web.url.rsplit(":", 1)[1]
    call_command("demo", port=int(port), students=20)
    assert Exam.objects.get().questions.count() == 40
    assert Student.objects.count() == 20
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))  # the walk-through is typed in the project's folder

    result = subprocess.run(
        ["sh", "-eu"],
        input=walk_through(),
        cwd=tmp_path,
        env={**os.environ, "PORT": port},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    reply = json.loads(result.stdout.splitlines()[-1])
    assert (reply["success"], reply["status"]) == (True, "saved")
    assert Answer.objects.count() == 1


def test_the_two_commands_are_named() -> None:
    text = (PROJECT / "README.md").read_text()
    assert "make demo" in text
    assert "make test" in text
    assert len(text.splitlines()) <= 70, "one screen, or nearly so"
