"""Ed25519 signatures of bundles (RFC 8032): who made it, and whether this device trusts them.

What is signed is `manifest.json`, byte for byte, which holds the sha256 of every other member: what was loaded is what was signed. The
signature stands in the zip's comment, so that a signed bundle is read by whoever reads an unsigned one. Keys are PEM files:

    openssl genpkey -algorithm ed25519 -out signing.pem          stays where bundles are made
    openssl pkey -in signing.pem -pubout -out trusted.pem        goes to the devices

The package `cryptography` is needed when a key is named, and only then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import UserError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_BYTES = 64
_MAXIMUM_KEY_BYTES = 64 * 1024
_MAKE_PUBLIC = "make it with: openssl pkey -in KEY.pem -pubout -out trusted.pem"
_MAKE_PRIVATE = "make one with: openssl genpkey -algorithm ed25519 -out KEY.pem"


class SigningKey:
    """Whose signature a new bundle bears."""

    def __init__(self, path: Path | str) -> None:
        """UserError when the file is no Ed25519 private key, or `cryptography` is not installed."""
        self._key = _private_key(Path(path))
        self.fingerprint = hashlib.sha256(self._key.public_key().public_bytes_raw()).hexdigest()

    def sign(self, manifest: bytes) -> bytes:
        """The signature of a manifest, 64 bytes; always the same for the same."""
        return self._key.sign(manifest)


@dataclass(frozen=True, slots=True)
class Trust:
    """Which bundles this device takes. The plain `Trust()` takes all, and looks at no signature."""

    keys: tuple[Ed25519PublicKey, ...] = ()
    require_signature: bool = False

    @classmethod
    def of(cls, paths: Iterable[Path | str], *, require_signature: bool) -> Trust:
        """Trust in the keys of these files; UserError when one is no Ed25519 public key, or `cryptography` is not installed."""
        return cls(tuple(_public_key(Path(path)) for path in paths), require_signature)

    def check(self, manifest: bytes, signature: bytes | None) -> None:
        """Check the signature of a bundle by its manifest.

        Raises
        ------
        ValueError
            It is not signed and must be, or not by a key that is trusted; the text completes `pump1.auscult: ...`.
        """
        if signature is None:
            if self.require_signature:
                raise ValueError(
                    "not signed, and only signed bundles are accepted here; sign it with `auscult calibrate --sign KEY.pem`, "
                    "or accept others too (bundles.require_signature: false, or no --trusted-key)"
                )
            return
        if self.keys and not any(_fits(key, manifest, signature) for key in self.keys):
            raise ValueError(
                "not signed with any of the trusted keys, or changed after it was signed; copy the file again, "
                "or add the signer's public key to bundles.trusted_keys"
            )


def _fits(key: Ed25519PublicKey, manifest: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, manifest)
    except InvalidSignature:
        return False
    return True


def _private_key(path: Path) -> Ed25519PrivateKey:
    content = _read(path)
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise _missing(path) from error
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError as error:
        raise UserError(path, "is protected by a passphrase; remove it with: openssl pkey -in KEY.pem -out UNPROTECTED.pem") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UserError(path, f"not a private key in PEM form; {_MAKE_PRIVATE}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError(path, f"not an Ed25519 key but another kind; {_MAKE_PRIVATE}")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    content = _read(path)
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as error:
        raise _missing(path) from error
    if b"PRIVATE KEY-----" in content:
        raise UserError(path, f"is a private key, which must not leave the computer that signs; put the public one here, {_MAKE_PUBLIC}")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UserError(path, f"not a public key in PEM form; {_MAKE_PUBLIC}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UserError(path, f"not an Ed25519 key but another kind; {_MAKE_PRIVATE}")
    return key


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise UserError(path, "is not a file; name the PEM file of a key")
        with path.open("rb") as file:
            content = file.read(_MAXIMUM_KEY_BYTES + 1)
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror or error}; name the PEM file of a key") from error
    if len(content) > _MAXIMUM_KEY_BYTES:
        raise UserError(path, f"larger than {_MAXIMUM_KEY_BYTES // 1024} KB: not a key; name the PEM file of one")
    return content


def _missing(path: Path) -> UserError:
    return UserError(path, "keys need the package cryptography; install it with: pip install 'auscult[sign]'")
