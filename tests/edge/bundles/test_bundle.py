"""A bundle is complete and ours, or refused in one line."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundles import bundle as bundle_module
from edge.bundles.bundle import Bundle, write_bundle
from edge.errors import BundleError

MANIFEST: dict[str, Any] = {
    "created_at": "2026-11-20T10:00:00Z",
    "auscult_version": "0.1.0",
    "front_end": "panns-32k",
    "sample_rate_hz": 32000,
    "bandwidth_hz": 16000.0,
    "backbone": {"name": "cnn14-random", "sha256": "0" * 64, "precision": "int8"},
    "detector": {"name": "patchcore", "parameters": {"neighbours": 1, "heads": {"level": {"onset": 0.5}}}},
    "threshold": {"false_alarms_per_week": 1.0, "supported_false_alarms_per_week": 12.0, "score_scale": 2.5, "note": "short recordings"},
    "data": {"recordings": 2, "seconds": 120.0, "sources": ["a.wav", "b.wav"], "dropped": []},
    "probe": {"members": ["probe"], "tolerance": 1e-4},
}
ARRAYS: dict[str, dict[str, Any]] = {
    "detector": {"bank": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "names": np.array(["a", "bc"]), "nothing": np.zeros((0, 4))},
    "probe": {"samples": np.linspace(-1, 1, 50, dtype=np.float32), "scale": np.float64(3.5)},
}
BLOBS = {"student.onnx": b"not really a network"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "pump1.auscult"
    write_bundle(path, MANIFEST, ARRAYS, BLOBS)
    return path


def _problem(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        Bundle.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message.removeprefix(f"{path}: ")


def _rewrite(path: Path, members: list[tuple[str, bytes]], **options: Any) -> None:
    """What an attacker's or a helpful person's zip program makes of it."""
    with zipfile.ZipFile(path, "w", **options) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate names
        for name, content in members:
            archive.writestr(name, content)


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _relisted(members: dict[str, bytes], **changes: object) -> list[tuple[str, bytes]]:
    """With a manifest that lists the members as they are now, then changed."""
    manifest = json.loads(members["manifest.json"])
    manifest["members"] = {name: hashlib.sha256(content).hexdigest() for name, content in members.items() if name != "manifest.json"}
    return list({**members, "manifest.json": json.dumps({**manifest, **changes}).encode()}.items())


def _npz(**arrays: bytes) -> bytes:
    file = io.BytesIO()
    _rewrite(file, [(f"{name}.npy", content) for name, content in arrays.items()])  # type: ignore[arg-type]
    return file.getvalue()


def _npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def test_read_gives_back_what_was_written(path: Path) -> None:
    bundle = Bundle.read(path)
    assert bundle.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert bundle.manifest.detector.parameters == MANIFEST["detector"]["parameters"]
    assert bundle.manifest.threshold.score_scale == 2.5
    assert bundle.manifest.probe is not None
    assert bundle.blobs == BLOBS
    assert {member: set(arrays) for member, arrays in bundle.arrays.items()} == {member: set(arrays) for member, arrays in ARRAYS.items()}
    for member, arrays in ARRAYS.items():
        for name, array in arrays.items():
            read = bundle.arrays[member][name]
            assert read.dtype == array.dtype
            np.testing.assert_array_equal(read, array)
            assert not read.flags.writeable


def test_read_bundle_tells_the_false_alarms_that_its_threshold_was_set_for(path: Path) -> None:
    """One of before names those that were asked for alone."""
    assert Bundle.read(path).manifest.threshold.set_for == 1.0
    write_bundle(path, MANIFEST | {"threshold": MANIFEST["threshold"] | {"set_for_false_alarms_per_week": 56.7}}, ARRAYS, BLOBS)
    found = Bundle.read(path).manifest.threshold
    assert (found.false_alarms_per_week, found.set_for) == (1.0, 56.7)


@pytest.mark.parametrize("set_for", [0.0, -1.0, "1"])
def test_write_bundle_whose_threshold_is_set_for_no_rate_is_refused(path: Path, set_for: object) -> None:
    with pytest.raises(ValueError, match="set_for_false_alarms_per_week"):
        write_bundle(path, MANIFEST | {"threshold": MANIFEST["threshold"] | {"set_for_false_alarms_per_week": set_for}}, ARRAYS, BLOBS)


def test_write_same_content_gives_same_bytes(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.auscult"
    shuffled = {member: {name: np.asfortranarray(arrays[name]) for name in reversed(arrays)} for member, arrays in reversed(ARRAYS.items())}
    write_bundle(other, dict(reversed(MANIFEST.items())), {**shuffled, "probe": ARRAYS["probe"]}, BLOBS)
    assert other.read_bytes() == path.read_bytes()


def test_write_result_is_a_zip_that_people_can_open(path: Path) -> None:
    members = _members(path)
    assert list(members) == ["manifest.json", "detector.npz", "probe.npz", "student.onnx"]
    with np.load(io.BytesIO(members["detector.npz"]), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["bank"], ARRAYS["detector"]["bank"])


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 1 << 30), mask=st.integers(1, 255))
def test_read_any_flipped_byte_is_refused(tmp_path_factory: pytest.TempPathFactory, place: int, mask: int) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.auscult"
    write_bundle(path, MANIFEST, ARRAYS, BLOBS)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= mask
    path.write_bytes(content)
    _problem(path)


@settings(max_examples=50, deadline=None)
@given(kept=st.integers(0, 1 << 30))
def test_read_truncated_file_is_refused(tmp_path_factory: pytest.TempPathFactory, kept: int) -> None:
    path = tmp_path_factory.getbasetemp() / "truncated.auscult"
    write_bundle(path, MANIFEST, ARRAYS, BLOBS)
    content = path.read_bytes()
    path.write_bytes(content[: kept % len(content)])
    _problem(path)


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=300))
def test_read_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "foreign.auscult"
    path.write_bytes(content)
    assert _problem(path) == "not a zip archive, or cut short; copy the file again or calibrate again"


@pytest.mark.parametrize("where", ["before", "after"])
def test_read_extra_bytes_around_it_are_refused(path: Path, where: str) -> None:
    path.write_bytes(b"x" + path.read_bytes() if where == "before" else path.read_bytes() + b"x")
    _problem(path)


def test_read_missing_file_names_the_command(tmp_path: Path) -> None:
    assert _problem(tmp_path / "pump1.auscult") == "no such bundle; make one with `auscult calibrate`"


def test_read_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in _problem(tmp_path)


def test_read_foreign_zip_is_refused(path: Path) -> None:
    _rewrite(path, [("model.bin", b"x")])
    assert "not an Auscult bundle (no manifest.json at its start)" in _problem(path)
    _rewrite(path, [("manifest.json", b'{"kind": "extension", "schema": 1}')])
    assert "another kind of manifest.json" in _problem(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"kind": "auscult-bundle", "schema": 1}'])
def test_read_bad_manifest_is_refused(path: Path, content: bytes) -> None:
    _rewrite(path, [("manifest.json", content)])
    assert "manifest.json is damaged" in _problem(path)


@pytest.mark.parametrize(
    ("schema", "said"), [(2, "upgrade Auscult"), (0, "calibrate again"), ("1", "calibrate again"), (True, "calibrate again")]
)
def test_read_other_schema_says_what_to_do(path: Path, schema: object, said: str) -> None:
    _rewrite(path, _relisted(_members(path), schema=schema))
    assert said in _problem(path)


def test_read_newer_field_of_the_same_schema_is_ignored(path: Path) -> None:
    write_bundle(path, {**MANIFEST, "colour": "blue"}, ARRAYS)
    assert Bundle.read(path).manifest.front_end == "panns-32k"


def test_read_tampered_member_is_named(path: Path) -> None:
    members = _members(path)
    _rewrite(path, list({**members, "student.onnx": b"another network"}.items()))
    assert "student.onnx in it is damaged or was changed after calibration (sha256 differs)" in _problem(path)


def test_read_tampered_manifest_is_refused(path: Path) -> None:
    """Somebody lowers the threshold with a zip program, and keeps every digest right but the one they cannot see."""
    members = _members(path)
    manifest = json.loads(members["manifest.json"])
    manifest["threshold"]["score_scale"] = 9.0
    _rewrite(path, list({**members, "manifest.json": json.dumps(manifest).encode()}.items()))
    assert "its seal differs" in _problem(path)


def test_read_missing_member_is_named(path: Path) -> None:
    members = _members(path)
    del members["probe.npz"]
    _rewrite(path, list(members.items()))
    assert "lacks probe.npz, which its manifest lists" in _problem(path)


def test_read_unlisted_member_is_named(path: Path) -> None:
    _rewrite(path, [*_members(path).items(), ("extra.onnx", b"x")])
    assert "holds extra.onnx, which its manifest does not list" in _problem(path)


def test_read_member_twice_is_refused(path: Path) -> None:
    members = _members(path)
    _rewrite(path, [*members.items(), ("student.onnx", members["student.onnx"])])
    assert "two files of the same name" in _problem(path)


@pytest.mark.parametrize("name", ["../evil.onnx", "/etc/evil.onnx", "a/b.onnx", "a\\b.onnx", ".hidden", "..", "a\nb", "x" * 200])
def test_read_member_with_a_forbidden_name_is_refused(path: Path, name: str) -> None:
    _rewrite(path, [*_members(path).items(), (name, b"x")])
    assert "forbidden name" in _problem(path)


def test_read_compressed_member_is_refused(path: Path) -> None:
    _rewrite(path, list(_members(path).items()), compression=zipfile.ZIP_DEFLATED)
    assert "compressed or encrypted" in _problem(path)


def test_read_oversized_file_is_refused_before_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "MAXIMUM_BYTES", 1000)
    assert "this is not an Auscult bundle" in _problem(path)


def test_read_oversized_member_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bundles.stored_zip.MAXIMUM_MEMBER_BYTES", 10)
    assert "manifest.json in it is larger than" in _problem(path)


def test_read_pickled_array_is_never_unpickled(path: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return (Path.touch, (tmp_path / "pwned",))

    whole = _npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", pickle.dumps([Evil()]))
    for content in (_npz(bank=whole), _npz(bank=pickle.dumps(Evil()))):
        _rewrite(path, _relisted({**_members(path), "detector.npz": content}))
        assert "detector.npz in it holds an array" in _problem(path)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("npy", "said"),
    [
        (b"", "damaged header"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "damaged header"),
        (_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000, 4000000000), }", b"1234"), "size does not match"),
        (_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1), }", b"1234"), "size does not match"),
        (_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", b"1234"), "size does not match"),
        (_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", b"12345"), "size does not match"),
        (_npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", b"1234"), "never loaded"),
        (_npy("{'descr': '<U0', 'fortran_order': False, 'shape': (1,), }"), "never loaded"),
        (_npy("{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }"), "damaged header"),
        (_npy("__import__('os').system('false')"), "damaged header"),
    ],
)
def test_read_damaged_array_is_refused(path: Path, npy: bytes, said: str) -> None:
    _rewrite(path, _relisted({**_members(path), "detector.npz": _npz(bank=npy)}))
    assert said in _problem(path)


def test_read_npz_that_is_compressed_or_no_zip_is_refused(path: Path) -> None:
    compressed = io.BytesIO()
    np.savez_compressed(compressed, bank=np.zeros(100_000))
    for content in (compressed.getvalue(), b"x" * 100, _npz(bank=b"x")[:-5]):
        _rewrite(path, _relisted({**_members(path), "detector.npz": content}))
        assert "detector.npz in it " in _problem(path)


def test_write_failure_leaves_the_old_bundle_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.atomic_file.os.fsync", full)
    with pytest.raises(BundleError, match="cannot be written: No space left on device"):
        write_bundle(path, MANIFEST, {}, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_write_interrupted_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bundle_module, "_seal", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(path, MANIFEST, {}, {})
    assert list(path.parent.iterdir()) == [path]


def test_write_to_missing_folder_is_a_bundle_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be written: No such file or directory"):
        write_bundle(tmp_path / "nowhere" / "pump1.auscult", MANIFEST, {})


def test_write_respects_the_umask(path: Path) -> None:
    """The daemon reads it as another user than the one who calibrated."""
    plain = path.with_name("plain")
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize(
    ("manifest", "arrays", "blobs"),
    [
        ({"created_at": "now"}, {}, {}),
        ({**MANIFEST, "bandwidth_hz": float("nan")}, {}, {}),
        ({**MANIFEST, "detector": {"name": "x", "parameters": {"a": np.float32(1)}}}, {}, {}),
        (MANIFEST, {"detector.npz": {}}, {}),
        (MANIFEST, {"a/b": {}}, {}),
        (MANIFEST, {"detector": {"../bank": np.zeros(1)}}, {}),
        (MANIFEST, {"detector": {"bank": np.array([None])}}, {}),
        (MANIFEST, {}, {"manifest.json": b""}),
        (MANIFEST, {}, {"a/b.onnx": b""}),
    ],
)
def test_write_what_could_not_be_read_is_a_mistake_of_the_callers(
    tmp_path: Path, manifest: dict[str, Any], arrays: dict[str, dict[str, Any]], blobs: dict[str, bytes]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        write_bundle(tmp_path / "x.auscult", manifest, arrays, blobs)
    assert list(tmp_path.iterdir()) == []
