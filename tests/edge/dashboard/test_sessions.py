from __future__ import annotations

import pytest

from edge.dashboard.password import Password, hash_password
from edge.dashboard.sessions import ATTEMPTS, LASTS_S, LOCKED_S, Sessions, TooManyAttemptsError

SECRET = Password(hash_password("correct horse"))
KEY = bytes(32)


class Wall:
    def __init__(self) -> None:
        self.now_s = 1e9

    def __call__(self) -> float:
        return self.now_s


def test_without_a_password_everybody_is_known() -> None:
    sessions = Sessions(None)
    assert not sessions.wants_password
    assert sessions.is_known(None)


def test_cookie_counts_from_log_in_to_log_out_and_not_for_ever() -> None:
    wall = Wall()
    sessions = Sessions(SECRET, wall=wall)
    assert not sessions.is_known(None)
    assert not sessions.is_known("guessed")
    cookie = sessions.log_in("correct horse", "a")
    assert cookie is not None
    assert sessions.is_known(cookie)
    wall.now_s += LASTS_S + 1.0
    assert not sessions.is_known(cookie)
    again = sessions.log_in("correct horse", "a")
    assert again is not None
    sessions.log_out(again)
    assert not sessions.is_known(again)


def test_sessions_outlive_a_restart_but_not_another_password() -> None:
    before = Sessions(SECRET, key=KEY)
    cookie = before.log_in("correct horse", "a")
    known = before.known()
    assert cookie not in known  # only its hash is kept
    assert Sessions(SECRET, key=KEY, known=known).is_known(cookie)
    assert not Sessions(Password(hash_password("correct horse")), key=KEY, known=known).is_known(cookie)


def test_token_belongs_to_one_cookie() -> None:
    sessions = Sessions(None, key=KEY)
    token = sessions.token("first")
    assert sessions.is_token("first", token)
    assert not sessions.is_token("second", token)
    assert not sessions.is_token(None, token)
    assert not sessions.is_token("first", None)
    assert not sessions.is_token("first", "ü")


def test_wrong_passwords_lock_an_address_for_a_while_even_for_the_right_one() -> None:
    clock, wall = Wall(), Wall()
    sessions = Sessions(SECRET, wall=wall, clock=clock)
    for _ in range(ATTEMPTS):
        assert sessions.log_in("wrong", "a") is None
    with pytest.raises(TooManyAttemptsError):
        sessions.log_in("correct horse", "a")
    assert sessions.log_in("correct horse", "b") is not None
    wall.now_s -= 365 * 86_400.0  # somebody has set it
    clock.now_s += LOCKED_S + 1.0
    assert sessions.log_in("correct horse", "a") is not None
