"""The reference of config.yaml."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import inspect

from docs.generator.config_keys import all_keys, keys_of, written


def test_all_keys_have_a_meaning_that_is_a_sentence() -> None:
    assert [key.path for key in all_keys() if not (key.meaning.text[0].isupper() or key.meaning.text[0] == "`")] == []
    assert [key.path for key in all_keys() if not key.meaning.text.endswith(".")] == []


def test_all_keys_that_may_be_left_out_have_a_default() -> None:
    assert [key.path for key in all_keys() if not key.default()] == []


def test_key_without_a_meaning_is_named() -> None:
    class Section(msgspec.Struct):
        host: str

    (field,) = (field for kind in [inspect.type_info(Section)] if isinstance(kind, inspect.StructType) for field in kind.fields)
    with pytest.raises(LookupError, match="host has no meaning"):
        list(keys_of(field))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, "true"), (5.0, "5"), (0.5, "0.5"), (("cpu", "cuda"), "[cpu, cuda]"), ("5", '"5"'), ("info", "info"), (1, "1")],
)
def test_written_value_is_yaml(value: object, expected: str) -> None:
    assert written(value) == expected
