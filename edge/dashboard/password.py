"""The page's password, as a hash: scrypt (RFC 7914) with the parameters and the salt written beside it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets

LOG2_COST = 14
BLOCK_SIZE = 8
PARALLEL = 1
MOST_MEMORY = 64 << 20  # bytes; whoever writes the file decides how much one login takes, within this
SHORTEST = 8  # characters
_FORM = re.compile(r"scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9_-]{16,64})\$([A-Za-z0-9_-]{43})")


def hash_password(password: str) -> str:
    """`scrypt$14$8$1$SALT$HASH` of a password."""
    salt = secrets.token_bytes(16)
    return f"scrypt${LOG2_COST}${BLOCK_SIZE}${PARALLEL}${_text(salt)}${_text(_scrypt(password, salt, LOG2_COST, BLOCK_SIZE, PARALLEL))}"


class Password:
    """A hash that passwords are held against."""

    def __init__(self, text: str) -> None:
        """`text` is what `hash_password` has made.

        Raises
        ------
        ValueError
            It is no such text, or would take more than `MOST_MEMORY` to check.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError("not the hash of a password")
        log2_cost, block_size, parallel = (int(part) for part in found.groups()[:3])
        memory = 128 * block_size << log2_cost
        if not 10 <= log2_cost <= 20 or block_size < 1 or not 1 <= parallel <= 16 or memory > MOST_MEMORY:
            raise ValueError("a hash that is too weak, or takes too much memory")
        self._parameters = (log2_cost, block_size, parallel)
        try:
            self._salt, self._hash = _bytes(found[4]), _bytes(found[5])
        except (binascii.Error, ValueError) as error:
            raise ValueError("not the hash of a password") from error
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()  # another one when the password is another

    def is_right(self, password: str) -> bool:
        """Whether it is the password; takes some 50 ms and 16 MB on purpose."""
        return hmac.compare_digest(_scrypt(password, self._salt, *self._parameters), self._hash)


def _scrypt(password: str, salt: bytes, log2_cost: int, block_size: int, parallel: int) -> bytes:
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=1 << log2_cost, r=block_size, p=parallel, maxmem=2 * MOST_MEMORY, dklen=32)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
