"""No text with the end of a line at its end passes for one without: `$` would let it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, inspect

from edge.bundles.manifest import Manifest
from edge.commands.schema import schema_document
from edge.config.schema import Config
from edge.mqtt import payloads
from edge.remote.requests import REQUESTS
from edge.remote.responses import RESPONSES
from edge.whole_text import whole

PROJECT = Path(__file__).parents[2]
PUBLISHED = [value for value in vars(payloads).values() if isinstance(value, type) and issubclass(value, msgspec.Struct)]
STRUCTS = [Manifest, Config, *PUBLISHED, *REQUESTS.values(), *RESPONSES.values()]


def patterns_in(found: Any) -> Iterator[str]:
    """Of all texts in msgspec's description of types, or in a JSON Schema."""
    if isinstance(found, dict):
        if isinstance(found.get("pattern"), str):
            yield found["pattern"]
        found = list(found.values())
    elif isinstance(found, inspect.StrType) and found.pattern is not None:
        yield found.pattern
    elif isinstance(found, msgspec.Struct):
        found = [getattr(found, name) for name in found.__struct_fields__]
    if isinstance(found, list | tuple):
        for one in found:
            yield from patterns_in(one)


CHECKED = sorted(set(patterns_in(inspect.multi_type_info(STRUCTS))))


def test_whole_text_patterns_of_all_that_is_decoded_are_found() -> None:
    assert len(CHECKED) >= 5
    assert set(patterns_in(schema_document())) < set(CHECKED)


@pytest.mark.parametrize("pattern", CHECKED)
@given(data=st.data(), around=st.sampled_from([("", "\n"), ("\n", ""), ("", "\r\n"), ("x\n", ""), ("", "\nx")]))
def test_whole_text_lines_around_a_text_are_refused(pattern: str, data: st.DataObject, around: tuple[str, str]) -> None:
    kind: Any = Annotated[str, Meta(pattern=pattern)]
    text = data.draw(st.from_regex(re.compile(pattern, re.ASCII)))
    assert msgspec.convert(text, kind) == text
    jsonschema.validate(text, {"pattern": pattern})
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text.join(around), kind)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(text.join(around), {"pattern": pattern})


def test_whole_text_alternatives_are_both_bounded() -> None:
    assert [bool(re.search(whole("a|b"), text)) for text in ("a", "b", "ax", "xb", "a\n", "")] == [True, True, False, False, False, False]


def regular_expressions(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Constants that are given to a function of `re`, or as a `pattern`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = [keyword.value for keyword in node.keywords if keyword.arg == "pattern"]
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and node.func.value.id == "re":
            given += node.args[:1]
        for argument in given:
            for part in ast.walk(argument):
                if isinstance(part, ast.Constant) and isinstance(part.value, str | bytes):
                    yield node.lineno, part.value if isinstance(part.value, str) else part.value.decode("latin-1")


def test_whole_text_no_regular_expression_ends_in_a_dollar() -> None:
    rooms = [path for room in ("edge", "calibrate", "export", "benchmarks") for path in (PROJECT / room).rglob("*.py")]
    found = [(path, *one) for path in rooms for one in regular_expressions(ast.parse(path.read_text(encoding="utf-8")))]
    assert len(found) > 30
    assert [
        f"{path.relative_to(PROJECT)}:{line}: {pattern}" for path, line, pattern in found if re.search(r"(?<!\\)\$\)*\Z", pattern)
    ] == []
