"""What people are asked for when they report a problem is what the commands give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from edge.commands import doctor
from edge.console.cli import Parser

ROOT = Path(__file__).resolve().parents[1]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
ASKS = re.compile(r"`sudo auscult doctor ([^`]*--support)`")


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_issue_form_is_one_to_github_and_asks_for_the_support_archive(form: Path) -> None:
    parsed = yaml.safe_load(form.read_text(encoding="utf-8"))
    assert parsed.keys() == {"name", "description", "labels", "body"}
    fields = {part["id"]: part for part in parsed["body"]}
    assert len(fields) == len(parsed["body"])
    assert all(part["type"] == "textarea" and part["attributes"]["label"] for part in fields.values())
    assert ASKS.search(fields["support"]["attributes"]["description"])


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", *FORMS], ids=lambda path: path.stem)
def test_command_that_people_are_asked_to_run_is_one(page: Path) -> None:
    parser = Parser()
    doctor.add_arguments(parser)
    asked = ASKS.findall(page.read_text(encoding="utf-8"))
    assert asked
    for arguments in asked:
        assert parser.parse_args(arguments.split()).support.suffix == ".zip"
