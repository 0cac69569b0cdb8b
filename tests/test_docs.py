"""The documentation names every key, command, topic and extra that there is, and no more: a technician works from it."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest
from msgspec import inspect

import auscult
from docs.generator.__main__ import stale_pages
from docs.generator.blocks import BLOCKS
from docs.generator.page import block_names
from edge.commands.schema import schema_document
from edge.config.load import load_config
from edge.config.schema import Config, FilesConfig, MicrophoneConfig, StdinConfig
from edge.console.cli import command_parser, find_command
from edge.doctor.examination import CHECKS
from tests.test_packaging import pyproject

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
}
README = PAGES["README.md"]
LONGEST_README = 150  # lines
LARGEST_PICTURE_BYTES = 300_000


def keys(kind: inspect.Type, prefix: str = "") -> Iterator[str]:
    """Every key of config.yaml that holds a value, dotted, `<name>` for a name that the user chooses."""
    if isinstance(kind, inspect.Metadata):
        yield from keys(kind.type, prefix)
    elif isinstance(kind, inspect.UnionType) and any(isinstance(member, inspect.StructType) for member in kind.types):
        for member in kind.types:
            if isinstance(member, inspect.StructType):
                yield from keys(member, prefix)
    elif isinstance(kind, inspect.StructType):
        for field in kind.fields:
            yield from keys(field.type, f"{prefix}.{field.encode_name}" if prefix else field.encode_name)
    elif isinstance(kind, inspect.DictType):
        yield from keys(kind.value_type, f"{prefix}.<name>")
    else:
        yield prefix


def default_in_table(key: str) -> str:
    """What the table of docs/configuration.md gives as the default of a key, without the marks of code."""
    row = re.search(rf"^\| \**`{re.escape(key)}`\** \|(.*)\|$", PAGES["docs/configuration.md"], re.MULTILINE)
    assert row is not None, key
    return re.split(r"(?<!\\)\|", row[1])[1].strip().strip("`")


def test_configuration_table_lists_exactly_the_keys_of_the_config() -> None:
    listed = set(re.findall(r"^\| \**`([a-z0-9_.<>]+)`\** \|", PAGES["docs/configuration.md"], re.MULTILINE))
    assert listed == set(keys(inspect.type_info(Config)))


def test_configuration_table_gives_the_defaults_that_apply(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("node: n\nmqtt: {host: h}\nsources: {s: {bundle: b, files: {paths: [.]}, }}\n", encoding="utf-8")
    config = msgspec.to_builtins(load_config(path), enc_hook=str)
    for section in ("events", "health", "log", "inference"):
        for key, value in config[section].items():
            written = (
                f"[{', '.join(value)}]" if isinstance(value, (list, tuple)) else f"{value:g}" if isinstance(value, float) else str(value)
            )
            assert default_in_table(f"{section}.{key}") == written, f"{section}.{key}"


def test_configuration_table_gives_the_defaults_of_every_input() -> None:
    for kind, required in ((MicrophoneConfig, {"device": "USB"}), (FilesConfig, {"paths": ("a.wav",)}), (StdinConfig, {"rate_hz": 48000})):
        config = msgspec.to_builtins(kind(**required), enc_hook=str)
        section = kind.__name__.removesuffix("Config").lower()
        for key in config.keys() - required.keys():
            if config[key] is not None:  # else it is what the device has, which the table says in words
                assert default_in_table(f"sources.<name>.{section}.{key}") == str(config[key]).lower(), (section, key)


@pytest.mark.parametrize("command", auscult.COMMANDS)
def test_commands_table_has(command: str) -> None:
    assert f"| `auscult {command}` |" in PAGES["docs/commands.md"]
    assert f"\n### auscult {command}\n" in PAGES["docs/commands.md"]


def test_commands_in_all_pages_are_real() -> None:
    assert first_words_after("auscult") <= set(auscult.COMMANDS)


def test_options_in_all_pages_are_real() -> None:
    known = {name: options(command_parser(importlib.import_module(module), name)) for name, (module, _) in auscult.COMMANDS.items()}
    used = [(find_command(known, line.split()[1:]), line) for line in code_lines() if re.match(r"auscult [a-z]", line)]
    assert len(used) > 50
    unknown = [line for name, line in used if name is not None and not set(re.findall(r" (--[a-z0-9-]+)", line)) <= known[name]]
    assert unknown == []


@pytest.mark.parametrize("topic", list(schema_document()["topics"]))
def test_topic_table_has(topic: str) -> None:
    assert f"| `{topic}` |" in PAGES["docs/alerts.md"]


@pytest.mark.parametrize("check", CHECKS)
def test_doctor_table_has(check: str) -> None:
    assert f"| `{check}` |" in PAGES["docs/troubleshooting.md"]


def test_extras_table_lists_exactly_the_extras() -> None:
    listed = re.findall(r"^\| `\[([a-z]+)\]` \|", PAGES["docs/development.md"], re.MULTILINE)
    assert set(listed) == set(pyproject()["project"]["optional-dependencies"])


def test_make_targets_in_all_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= first_words_after("make", README) <= first_words_after("make") <= targets


def test_shipped_config_when_loaded_is_valid() -> None:
    load_config(ROOT / "config.yaml")


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= LONGEST_README


def test_readme_links_to_every_page() -> None:
    assert {page for page in PAGES if page not in ("README.md", "docs/index.md")} <= set(re.findall(r"\]\((docs/[a-z-]+\.md)\)", README))


def test_generated_blocks_are_up_to_date() -> None:
    assert [path.name for path in stale_pages()] == [], "run: make docs"


def test_generated_blocks_each_stand_in_exactly_one_page() -> None:
    assert sorted(name for text in PAGES.values() for name in block_names(text)) == sorted(BLOCKS)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(PAGES[page])):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in headings(PAGES[target.resolve().relative_to(ROOT).as_posix()]), f"{page}: {link}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_links_of_the_site_stay_inside_it(page: str) -> None:
    assert [link for link in re.findall(r"\]\(([^)\s]+)\)", without_code(PAGES[page])) if link.startswith(("..", "/"))] == []


@pytest.mark.parametrize("page", PAGES)
def test_files_of_the_repository_that_a_page_names_exist(page: str) -> None:
    named = re.findall(r"`((?:edge|export|calibrate|benchmarks|docs|tests|systemd|requirements)/[\w./-]*)`", PAGES[page])
    assert [path for path in named if "NAME" not in path and not (ROOT / path).exists()] == []


def test_pictures_are_small() -> None:
    assert {path.name for path in (ROOT / "docs" / "images").iterdir() if path.stat().st_size > LARGEST_PICTURE_BYTES} == set()


@pytest.mark.slow
def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed; pip install 'auscult[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    pages = {f"{Path(page).stem}.html" for page in PAGES if page.startswith("docs/")}
    assert pages <= {path.name for path in (tmp_path / "site").iterdir()}


def without_code(text: str) -> str:
    """Markdown without its blocks and spans of code, where brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL))


def headings(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    lines = re.findall(r"^#+ (.*)$", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^a-z0-9_ -]", "", line.lower()).strip().replace(" ", "-") for line in lines}


def options(parser: argparse.ArgumentParser) -> set[str]:
    """The options of a command, and of its sub-commands."""
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= {option for inner in action.choices.values() for option in options(inner)}
    return found


def code_lines(*texts: str) -> list[str]:
    """The lines of code in blocks and spans of all pages: as typed, with what is continued on the next line, and without sudo."""
    text = "\n".join(texts or PAGES.values()).replace("\\\n", " ")
    blocks = re.findall(r"^ *```[a-z]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = [*"\n".join(blocks).splitlines(), *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)]
    return [re.sub(r"^ *(?:sudo )?(?:-u auscult )?", "", line) for line in lines]


def first_words_after(program: str, *texts: str) -> set[str]:
    """What follows `program` where a line of code begins with it: its commands or targets."""
    return {match[1] for line in code_lines(*texts) if (match := re.match(rf"{program} ([a-z][a-z-]*)", line))}
