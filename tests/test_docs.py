"""The documentation tells the truth: every setting, check, page and command that it names exists; none is left out."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from exams.conf import ExamsConf
from notifications.conf import NotificationsConf
from tests.web import PROJECT

DOCS = PROJECT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", PROJECT / "CHANGELOG.md"]
SETTINGS = (DOCS / "reference" / "settings.md").read_text()


def sources(*folders: str) -> str:
    return "\n".join(path.read_text() for folder in folders for path in sorted((PROJECT / folder).rglob("*.py")))


def test_every_setting_of_exams_is_listed_with_its_default() -> None:
    listed = dict(re.findall(r"^\| `(EXAMS_\w+)` \| `([^`]+)` \|", SETTINGS, re.MULTILINE))
    assert listed == {f"EXAMS_{field.name.upper()}": str(field.default) for field in fields(ExamsConf)}


def test_every_setting_of_notifications_is_listed_with_its_default() -> None:
    listed = dict(re.findall(r"^\| `(NOTIFICATIONS_\w+)` \| ([^|]+) \|", SETTINGS, re.MULTILINE))
    defaults = {f"NOTIFICATIONS_{field.name.upper()}": field.default for field in fields(NotificationsConf)}
    assert set(listed) == set(defaults)
    written = {name: f"`{value}`" for name, value in defaults.items() if isinstance(value, int | float)}
    assert {name: listed[name] for name in written} == written
    assert json.loads(listed["NOTIFICATIONS_GATEWAYS"].strip("`")) == NotificationsConf().gateways


def test_every_environment_variable_is_listed() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (PROJECT / "config" / "settings.py").read_text()))
    read |= set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', sources("config", "exams", "ratelimit")))
    read -= {"DJANGO_SETTINGS_MODULE", "PATH"}
    assert len(read) > 15, "the search itself works"
    assert {name for name in read if f"`{name}`" not in SETTINGS} == set()


def test_every_check_id_is_listed_once_and_no_other() -> None:
    source = sources("exams", "notifications", "ratelimit")
    used = set(re.findall(r'id="((?:exams|notifications|ratelimit)\.[EW]\d{3})"', source))
    # The gateways' checks are made in one place that gets the number alone.
    used |= {f"notifications.{number}" for number in re.findall(r'"(E0[2-9]\d)"', sources("notifications/backends"))}
    assert used
    assert used == set(re.findall(r"^\| `((?:exams|notifications|ratelimit)\.[EW]\d{3})` \|", SETTINGS, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_can_be_reached_from_the_map() -> None:
    linked = set(re.findall(r"\]\(([^)#]+\.md)", (DOCS / "README.md").read_text()))
    assert {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"README.md"} == linked


def test_every_command_of_ours_is_described() -> None:
    commands = {path.stem for path in PROJECT.glob("*/management/commands/[a-z]*.py")}
    text = (DOCS / "reference" / "commands.md").read_text()
    assert {name for name in commands if f"`{name}" not in text and f"manage.py {name}" not in text} == set()


def test_the_make_targets_that_the_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named
    assert named <= targets
