"""Trees of recordings laid out as datasets are published, with a few milliseconds of noise in each file."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16000
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
LITTER = ("readme.txt", ".DS_Store", "Thumbs.db", "._00000000.wav", "notes.wav.part")


def recording(path: Path, channels: int = 1, seconds: float = 0.01, rate_hz: int = RATE_HZ) -> Path:
    """Noise of its own for every file name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(zlib.crc32(path.name.encode())).standard_normal((round(seconds * rate_hz), channels)) * 0.05
    soundfile.write(path, samples, rate_hz)
    return path


def recordings(folder: Path, names: Iterable[str], channels: int = 1) -> None:
    for name in names:
        recording(folder / name, channels)


def mimii_machine(folder: Path, normal: int = 6, abnormal: int = 2) -> None:
    """What is in a machine's folder, `fan/id_00`."""
    recordings(folder / "normal", (f"{number:08}.wav" for number in range(normal)), channels=8)
    recordings(folder / "abnormal", (f"{number:08}.wav" for number in range(abnormal)), channels=8)


def dcase2020_machine(folder: Path, machine_id: str, fit: int = 3, normal: int = 2, anomalous: int = 2) -> None:
    """What is of one machine in the folder of its kind."""
    recordings(folder / "train", (f"normal_id_{machine_id}_{number:08}.wav" for number in range(fit)))
    recordings(folder / "test", (f"normal_id_{machine_id}_{number:08}.wav" for number in range(normal)))
    recordings(folder / "test", (f"anomaly_id_{machine_id}_{number:08}.wav" for number in range(anomalous)))


def dcase2023_machine(folder: Path, attributes: str = "_vel_6_loc_A") -> None:
    """Four recordings to learn from, one of them of the target domain; in each domain two normal ones and one anomalous one to test."""
    train = [f"source_train_normal_{number:04}" for number in range(3)] + ["target_train_normal_0000"]
    recordings(folder / "train", (f"section_00_{name}{attributes}.wav" for name in train))
    for domain in ("source", "target"):
        test = (f"{domain}_test_normal_0000", f"{domain}_test_normal_0001", f"{domain}_test_anomaly_0000")
        recordings(folder / "test", (f"section_00_{name}{attributes}.wav" for name in test))
    (folder / "attributes_00.csv").write_text("file_name,d1p,d1v\n", encoding="utf-8")


def urbansound8k_tree(root: Path, classes: Sequence[str], folds: Sequence[int], each: int = 2, seconds: float = 0.01) -> Path:
    """`each` recordings of every class in every fold, and the table."""
    lines = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    for number, name in enumerate(classes):
        for fold in folds:
            for slice_number in range(each):
                file = f"{fold}00{number}-{number}-0-{slice_number}.wav"
                recording(root / "audio" / f"fold{fold}" / file, channels=2, seconds=seconds, rate_hz=22050)
                lines.append(f"{file},{fold}00{number},0.0,4.0,1,{fold},{number},{name}")
    return _table(root / "metadata" / "UrbanSound8K.csv", lines)


def esc50_tree(root: Path, classes: Sequence[str], folds: Sequence[int] = (1, 2, 3, 4, 5), each: int = 1, seconds: float = 0.01) -> Path:
    """`each` recordings of every class in every fold, and the table."""
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for number, name in enumerate(classes):
        for fold in folds:
            for take in "ABCDEFGH"[:each]:
                file = f"{fold}-10{number:02}-{take}-{number}.wav"
                recording(root / "audio" / file, seconds=seconds, rate_hz=44100)
                lines.append(f"{file},{fold},{number},{name},True,10{number:02},{take}")
    return _table(root / "meta" / "esc50.csv", lines)


def litter(folder: Path) -> None:
    """What systems and people leave between recordings."""
    for name in LITTER:
        (folder / name).write_bytes(b"\x00\x01")


def linked(target: Path, source: Path) -> None:
    """One real recording where the published layout has it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)


def _table(path: Path, lines: Sequence[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
