from __future__ import annotations

import re

from edge.judgement.ulid import new_ulid


def test_ulid_is_26_characters_of_crockford_s_alphabet() -> None:
    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", new_ulid())


def test_ulid_is_never_the_same_twice_and_sorts_by_time() -> None:
    ids = [new_ulid() for _ in range(200)]
    assert len(set(ids)) == 200
    times = [one[:10] for one in ids]
    assert times == sorted(times)
