"""YAML in which every mistake has a line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.strict_yaml import MAXIMUM_BYTES, dotted, parse_yaml, read_yaml
from edge.errors import ConfigError

PATH = Path("config.yaml")


def _problem(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, PATH)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_parse_plain_document_gives_values_and_their_lines() -> None:
    document = parse_yaml("a:\n  b: 1\n  c: [x, 2.5]\n", PATH)
    assert document.data == {"a": {"b": 1, "c": ["x", 2.5]}}
    assert [document.line(path) for path in ((), ("a",), ("a", "b"), ("a", "c", 1))] == [1, 1, 2, 3]
    assert document.line(("a", "b", "nowhere")) == 2


def test_parse_value_on_the_next_line_is_marked_with_its_key() -> None:
    assert parse_yaml("a:\n  # why\n  - 1\n", PATH).line(("a",)) == 1


def test_parse_duplicate_key_names_both_lines() -> None:
    assert _problem("a:\n  b: 1\n  c: 2\n  b: 3\n") == "config.yaml:4: a.b: written twice (first on line 2); keep one of them"


@pytest.mark.parametrize("key", ["on", "off", "yes", "No", "1", "1.5", "null", "~", "-7"])
def test_parse_key_that_is_not_text_asks_for_quotes(key: str) -> None:
    assert _problem(f"a:\n  {key}: 1\n") == f'config.yaml:2: the key {key} is not text to YAML; write "{key}" in quotes'


@pytest.mark.parametrize("written", ["007", "-010", "08", "0x10", "0o10", "0b1", "1_000", "1:30", "1:30.5", "1_0.5"])
def test_parse_number_that_is_another_one_to_yaml_stays_text(written: str) -> None:
    assert parse_yaml(f"a: {written}\n", PATH).data == {"a": written}


def test_parse_numbers() -> None:
    assert parse_yaml("[0, -7, +1883, 0.5, -.5, 2., 1.5e+3]", PATH).data == [0, -7, 1883, 0.5, -0.5, 2.0, 1500.0]


def test_parse_date_stays_text() -> None:
    assert parse_yaml("a: 2026-11-20\nb: 2026-13-45\n", PATH).data == {"a": "2026-11-20", "b": "2026-13-45"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: [\n", 2, "not valid YAML"),
        ("a: 1\nb: c: d\n", 2, "mapping values are not allowed here"),
        ("a:\n\tb: 1\n", 2, "write spaces in place of the tab"),
        ("a: 1\n b: 2\n", 2, "not valid YAML"),
        ("a: 'x\n", 2, "not valid YAML"),
        ("a: 1\nb: \x01\n", 2, "control character"),
        ("a: 1\n---\nb: 1\n", 2, "not valid YAML"),
        ("a: 1\nb: *nobody\n", 2, "undefined alias"),
        ("a: 1\nb: !!python/object/apply:os.system [x]\n", 2, "tag"),
        ("a: !secret x\n", 1, "the tag !secret means nothing here"),
        ("a: 1\nb: !!int 0x_\n", 2, "not a value"),
        ("a:\t1\n", 1, "write spaces in place of the tab"),
        ("a: 1\t\n", 1, "write spaces in place of the tab"),
        ("a: .nan\n", 1, "not a finite number"),
        ("a: -.inf\n", 1, "not a finite number"),
        ("? [a]\n: 1\n", 1, "a key must be text"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n", 3, "merge keys"),
        ("[" * 5000, None, "nested too deeply"),
        (f"{'[' * 40}{']' * 40}", 1, "nested too deeply"),
    ],
)
def test_parse_bad_document_names_line_and_problem(text: str, line: int | None, said: str) -> None:
    problem = _problem(text)
    assert problem.startswith(f"config.yaml:{line}: " if line else "config.yaml: ")
    assert said in problem


def test_parse_nested_aliases_are_bounded() -> None:
    lines = ["a0: &a0 [" + ", ".join("x" * 10) + "]"]
    lines += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 10)]
    assert "once aliases are expanded" in _problem("\n".join(lines))


def test_parse_alias_of_itself_is_bounded() -> None:
    assert "nested too deeply" in _problem("a: &a [*a]\n")


def test_parse_harmless_alias_is_expanded() -> None:
    assert parse_yaml("a: &a {x: 1}\nb: *a\n", PATH).data == {"a": {"x": 1}, "b": {"x": 1}}


def _problem_or_none(read: Callable[[], object]) -> str | None:
    try:
        read()
    except ConfigError as error:
        return str(error)
    return None


@settings(deadline=None)
@given(st.text(alphabet=" \n\t:-[]{}&*!|>'\"%@`#?,abc01.~<=on", max_size=60))
def test_parse_any_text_gives_a_document_or_one_line(text: str) -> None:
    problem = _problem_or_none(lambda: parse_yaml(text, PATH))
    assert problem is None or re.fullmatch(r"config\.yaml(:\d+)?: .+", problem)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_read_any_bytes_give_a_document_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    problem = _problem_or_none(lambda: read_yaml(path))
    assert problem is None or problem.startswith(str(path))


def test_read_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml: no such file; copy"):
        read_yaml(tmp_path / "config.yaml")


def test_read_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)


def test_read_huge_file_is_refused_unparsed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"a: b # " + b"x" * MAXIMUM_BYTES)
    with pytest.raises(ConfigError, match="larger than 256 KB"):
        read_yaml(path)


def test_read_latin_1_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("a: 1\nb: Prüfstand\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"config\.yaml:2: not UTF-8"):
        read_yaml(path)


def test_read_windows_file_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: x\r\n")
    assert read_yaml(path).data == {"a": 1, "b": "x"}


def test_dotted_writes_a_path_as_users_do() -> None:
    assert dotted(("sources", "pump1", "files", "paths", 0)) == "sources.pump1.files.paths[0]"
