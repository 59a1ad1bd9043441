"""docs/reference/commands.md has every command of ours, with every option."""

import re

import pytest
from django.core.management import get_commands, load_command_class

from tests.web import PROJECT

REFERENCE = (PROJECT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
OURS = sorted(name for name, app in get_commands().items() if app == "exams")
#: Django's own, which every command has, and what is for measurements only.
NOT_LISTED = {"help", "version", "verbosity", "settings", "pythonpath", "traceback", "no-color", "force-color",
              "skip-checks"}  # fmt: skip


def section_of(name: str) -> str:
    found = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"{name} has no section in docs/reference/commands.md"
    return found[1]


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_in_the_table_and_has_a_section(name):
    assert f"| [`{name}`](#{name}) |" in REFERENCE
    assert section_of(name)


@pytest.mark.parametrize("name", [name for name in OURS if name not in ("runserver", "serve")])
def test_every_option_is_named(name):
    parser = load_command_class("exams", name).create_parser("manage.py", name)
    options = {option.lstrip("-") for action in parser._actions for option in action.option_strings if "--" in option}
    for option in options - NOT_LISTED:
        assert f"--{option}" in section_of(name)
