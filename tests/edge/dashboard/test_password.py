from __future__ import annotations

import pytest

from edge.dashboard.password import Password, hash_password

# Made by `hash_password("x" * 8)`, which draws another salt each time: tests have the same names in every process.
USABLE = "scrypt$14$8$1$GqHgxIw48UAXHoO9zKtu9Q$p1pRQxkj6ATxNkw81Vi9fLhXUU89pnVH6v10IqO6uGU"


def test_password_is_right_or_wrong() -> None:
    password = Password(hash_password("correct horse ü"))
    assert password.is_right("correct horse ü")
    assert not password.is_right("correct horse u")
    assert not password.is_right("")
    assert Password(USABLE).is_right("x" * 8)


def test_hash_of_the_same_password_is_another_each_time() -> None:
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first != second
    assert Password(first).fingerprint != Password(second).fingerprint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "correct horse",
        "$2b$12$abcdefghijklmnopqrstuv",
        "scrypt$14$8$1$c2FsdHNhbHRzYWx0c2E$short",
        USABLE.replace("$14$", "$20$"),  # a gigabyte for one login
        USABLE.replace("$14$", "$2$"),
        USABLE.replace("$8$", "$0$"),
    ],
)
def test_text_that_is_no_usable_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hash"):
        Password(text)
