from __future__ import annotations

import json

import pytest

from edge.remote.seal import sealed, unsealed

CONTENT = b'{"a": 1.5, "b": [1]}'


def test_seal_is_a_member_of_the_object_and_comes_off_again() -> None:
    data = sealed(CONTENT, "a.json")
    assert json.loads(data).keys() == {"a", "b", "crc32"}
    assert unsealed(data, "a.json") == unsealed(data + b"\n", "a.json") == CONTENT


def test_seal_of_another_file_does_not_fit() -> None:
    with pytest.raises(ValueError, match="its checksum does not match"):
        unsealed(sealed(CONTENT, "a.json"), "b.json")


def test_seal_each_bit_that_changes_is_known_or_changes_no_value() -> None:
    data = sealed(CONTENT, "a.json")
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            found = json.loads(unsealed(bytes(changed), "a.json"))
        except ValueError:
            continue
        assert {key: found[key] for key in ("a", "b")} == json.loads(CONTENT)


def test_seal_of_an_earlier_version_is_missing_and_not_missed() -> None:
    assert unsealed(CONTENT, "a.json") == CONTENT
