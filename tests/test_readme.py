"""The README names every key, command, topic and extra that there is, and no more: a technician works from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect

import auscult
from edge.commands.schema import schema_document
from edge.config.load import load_config
from edge.config.schema import Config, FilesConfig, MicrophoneConfig, StdinConfig

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


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


def table_keys() -> set[str]:
    section = README[README.index("\n## Configuration") : README.index("\n## Troubleshooting")]
    return set(re.findall(r"^\| \**`([a-z_.<>]+)`\** \|", section, re.MULTILINE)) - {"sources"}


def test_readme_configuration_table_lists_exactly_the_keys_of_the_config() -> None:
    assert table_keys() == set(keys(inspect.type_info(Config)))


def test_readme_configuration_table_gives_the_defaults_that_apply(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("node: n\nmqtt: {host: h}\nsources: {s: {bundle: b, files: {paths: [.]}, }}\n", encoding="utf-8")
    config = msgspec.to_builtins(load_config(path), enc_hook=str)
    for section in ("events", "health", "log", "inference"):
        for key, value in config[section].items():
            written = (
                f"[{', '.join(value)}]" if isinstance(value, (list, tuple)) else f"{value:g}" if isinstance(value, float) else str(value)
            )
            assert re.search(rf"^\| `{section}\.{key}` \| `?{re.escape(written)}`? \|", README, re.MULTILINE), f"{section}.{key}: {written}"


def test_readme_configuration_table_gives_the_defaults_of_every_input() -> None:
    for kind, required in ((MicrophoneConfig, {"device": "USB"}), (FilesConfig, {"paths": ("a.wav",)}), (StdinConfig, {"rate_hz": 48000})):
        config = msgspec.to_builtins(kind(**required), enc_hook=str)
        section = kind.__name__.removesuffix("Config").lower()
        for key in config.keys() - required.keys():
            if config[key] is not None:  # else it is what the device has, which the table says in words
                written = str(config[key]).lower()
                assert re.search(rf"^\| `sources\.<name>\.{section}\.{key}` \| `?{written}`? \|", README, re.MULTILINE), (section, key)


@pytest.mark.parametrize("command", auscult.COMMANDS)
def test_readme_commands_table_has(command: str) -> None:
    assert f"| `auscult {command}` |" in README


def test_readme_commands_are_all_real() -> None:
    assert first_words_after("auscult") <= set(auscult.COMMANDS)


@pytest.mark.parametrize("topic", list(schema_document()["topics"]))
def test_readme_topic_table_has(topic: str) -> None:
    assert f"| `{topic}` |" in README


def test_readme_contents_links_lead_to_headings() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-") for line in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([a-z0-9-]+)\)", README)) <= headings


def test_readme_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= first_words_after("make") <= targets


def test_shipped_config_when_loaded_is_valid() -> None:
    load_config(ROOT / "config.yaml")


def first_words_after(program: str) -> set[str]:
    """What follows `program` where a line of code begins with it, in blocks and spans: its commands or targets."""
    blocks = re.findall(r"^ *```[a-z]*\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)
    lines = [*"\n".join(blocks).splitlines(), *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", README)]
    return {match[1] for line in lines if (match := re.match(rf" *(?:sudo )?(?:-u auscult )?{program} ([a-z]+)", line))}
