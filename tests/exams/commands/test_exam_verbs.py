"""manage.py close_expired and publish_exam: the verbs, for cron and scripts; and all of it as a real process."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from exams.attempts import database_now
from exams.models import Attempt
from tests.exams.commands.run import run, run_failing
from tests.exams.factories import make_attempt, make_exam
from tests.web import PROJECT, url_of_test_database

pytestmark = pytest.mark.django_db


def test_close_expired_says_how_many_and_leaves_the_others():
    now = database_now()
    exam = make_exam(published=True)
    for _ in range(3):
        make_attempt(exam, started_at=now - timedelta(hours=3), deadline_at=now - timedelta(hours=1))
    running = make_attempt(exam)
    assert run("close_expired").out == "3 attempt(s) closed.\n"
    assert run("close_expired").out == "0 attempt(s) closed.\n"
    assert Attempt.objects.get(status="in_progress") == running


def test_publish_exam_publishes_and_is_harmless_twice():
    exam = make_exam()
    for _ in range(2):
        assert run("publish_exam", exam.pk).out == f"Exam {exam.pk} is published: version 1 with 1 question(s).\n"


@pytest.mark.parametrize(
    ("breakage", "said"),
    [
        (lambda exam: exam.delete(), "There is no exam"),
        (lambda exam: exam.questions.all().delete(), "has no question to answer"),
        (lambda exam: exam.questions.update(key=[1]), "is broken: Expected `object`, got `array` - at `$.key`"),
    ],
    ids=["unknown", "empty", "broken"],
)
def test_what_cannot_be_published_is_said(breakage, said):
    exam = make_exam()
    pk = exam.pk
    breakage(exam)
    assert said in str(run_failing("publish_exam", pk).failure)


@pytest.mark.django_db(transaction=True)
def test_from_a_shell_a_bank_becomes_a_published_exam(tmp_path):
    """Real processes: exit codes, standard output and error, real transactions."""
    exam = make_exam(questions=[])
    good, bad = tmp_path / "baik.gift", tmp_path / "rusak.gift"
    good.write_text("2 + 2 {=4 ~5}\n", encoding="utf-8")
    bad.write_text("3 + 3 {~7 ~8}\n", encoding="utf-8")
    environment = {
        **os.environ,
        "DATABASE_URL": url_of_test_database(),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }

    def manage(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    failed = manage("import_questions", bad, "--exam", exam.pk)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert f"{bad}:1: " in failed.stderr
    assert "Traceback" not in failed.stderr
    imported = manage("import_questions", good, "--exam", exam.pk)
    assert (imported.returncode, imported.stderr) == (0, "")
    published = manage("publish_exam", exam.pk)
    assert published.stdout == f"Exam {exam.pk} is published: version 1 with 1 question(s).\n"
    assert manage("close_expired").stdout == "0 attempt(s) closed.\n"
