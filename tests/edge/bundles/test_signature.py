"""Bundles signed with real keys, made by openssl as docs/calibrate.md says."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bundles import signature
from edge.bundles.bundle import Bundle, signed, write_bundle
from edge.bundles.signature import SigningKey, Trust
from edge.errors import BundleError, UserError
from tests.edge.bundles.test_bundle import ARRAYS, BLOBS, MANIFEST

SEAL_BYTES = len(b"auscult-sha256:") + 64
UNZIP = "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read('manifest.json'))"


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ours.pem and theirs.pem, and their public halves *.pub."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        openssl("genpkey", "-algorithm", "ed25519", "-out", folder / f"{name}.pem")
        openssl("pkey", "-in", folder / f"{name}.pem", "-pubout", "-out", folder / f"{name}.pub")
    return folder


@pytest.fixture
def bundle(keys: Path, tmp_path: Path) -> Path:
    path = tmp_path / "pump1.auscult"
    write_bundle(path, MANIFEST, ARRAYS, BLOBS, SigningKey(keys / "ours.pem"))
    return path


@pytest.fixture
def trust(keys: Path) -> Trust:
    return Trust.of([keys / "ours.pub"], require_signature=True)


def refusal(path: Path, trust: Trust) -> str:
    with pytest.raises(BundleError) as caught:
        Bundle.read(path, trust)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return caught.value.problem


def test_signed_bundle_when_read_is_taken_by_all(bundle: Path, trust: Trust, keys: Path) -> None:
    for one in (None, Trust(), trust, Trust.of([keys / "theirs.pub", keys / "ours.pub"], require_signature=True)):
        assert Bundle.read(bundle, one).blobs == BLOBS


def test_signed_bundle_is_the_same_every_time_and_signed_afterwards(bundle: Path, keys: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.auscult"
    write_bundle(plain, MANIFEST, ARRAYS, BLOBS)
    key = SigningKey(keys / "ours.pem")
    assert signed(plain.read_bytes(), key) == bundle.read_bytes()
    assert signed(bundle.read_bytes(), key) == bundle.read_bytes()


def test_signature_can_be_verified_with_openssl(bundle: Path, keys: Path, tmp_path: Path) -> None:
    content = bundle.read_bytes()
    place = content.rindex(b"auscult-ed25519:") + len(b"auscult-ed25519:")
    (tmp_path / "signature").write_bytes(bytes.fromhex(content[place : place + 128].decode()))
    with (tmp_path / "manifest.json").open("wb") as file:
        subprocess.run([sys.executable, "-c", UNZIP, str(bundle)], check=True, stdout=file, timeout=30)
    openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", keys / "ours.pub", "-sigfile", tmp_path / "signature",
            "-in", tmp_path / "manifest.json")  # fmt: skip


def test_unsigned_bundle_is_refused_where_signatures_are_required(tmp_path: Path, trust: Trust, keys: Path) -> None:
    path = tmp_path / "pump1.auscult"
    write_bundle(path, MANIFEST, ARRAYS, BLOBS)
    assert refusal(path, trust).startswith("not signed, and only signed bundles are accepted here; ")
    assert Bundle.read(path, Trust.of([keys / "ours.pub"], require_signature=False)).blobs == BLOBS


def test_bundle_of_another_key_is_refused_even_where_signatures_are_not_required(bundle: Path, keys: Path) -> None:
    for required in (True, False):
        trust = Trust.of([keys / "theirs.pub"], require_signature=required)
        assert refusal(bundle, trust).startswith("not signed with any of the trusted keys")


def test_tampered_bundle_with_right_digests_and_the_old_signature_is_refused(bundle: Path, tmp_path: Path, trust: Trust) -> None:
    other = tmp_path / "other.auscult"
    write_bundle(other, {**MANIFEST, "bandwidth_hz": 15000.0}, ARRAYS, BLOBS)
    content = bundle.read_bytes()
    start = content.rindex(b"auscult-ed25519:")
    comment = content[start : content.rindex(b"auscult-sha256:")]
    unsealed = other.read_bytes()[: -SEAL_BYTES - 2] + (len(comment) + SEAL_BYTES).to_bytes(2, "little") + comment + b"auscult-sha256:"
    other.write_bytes(unsealed + hashlib.sha256(unsealed).hexdigest().encode())
    assert Bundle.read(other).manifest.bandwidth_hz == 15000.0  # all else is as it should be
    assert "not signed with any of the trusted keys" in refusal(other, trust)


@pytest.mark.parametrize("place", [-100, -150, -220, 60, 2000])
def test_signed_bundle_with_a_flipped_byte_is_refused(bundle: Path, trust: Trust, place: int) -> None:
    content = bytearray(bundle.read_bytes())
    content[place] ^= 1
    bundle.write_bytes(content)
    refusal(bundle, trust)
    refusal(bundle, Trust())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory; name the PEM file of a key"),
        (b"", "not a private key in PEM form; make one with: openssl genpkey -algorithm ed25519 -out KEY.pem"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not a private key in PEM form; "),
        (b"x" * 70_000, "larger than 64 KB: not a key; "),
    ],
)
def test_signing_key_that_is_none_is_reported_in_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        SigningKey(path)
    assert str(caught.value).startswith(f"{path}: {said}")


def test_keys_of_another_kind_or_the_other_half_are_reported(keys: Path, tmp_path: Path) -> None:
    rsa = tmp_path / "rsa.pem"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", rsa)
    openssl("pkey", "-in", rsa, "-pubout", "-out", tmp_path / "rsa.pub")
    locked = tmp_path / "locked.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:secret", "-out", locked)
    for path, said in ((rsa, "another kind"), (keys / "ours.pub", "not a private key"), (locked, "passphrase"), (tmp_path, "not a file")):
        with pytest.raises(UserError, match=said):
            SigningKey(path)
    for path, said in ((tmp_path / "rsa.pub", "another kind"), (keys / "ours.pem", "is a private key, which must not leave")):
        with pytest.raises(UserError, match=said):
            Trust.of([path], require_signature=True)


def test_keys_without_cryptography_are_reported_in_one_line(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    for load in (lambda: SigningKey(keys / "ours.pem"), lambda: Trust.of([keys / "ours.pub"], require_signature=True)):
        with pytest.raises(UserError, match=r"keys need the package cryptography; install it with: pip install 'auscult\[sign\]'"):
            load()
    assert Trust.of([], require_signature=False) == signature.Trust()
