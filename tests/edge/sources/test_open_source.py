from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.config.make_source import make_source, open_source
from edge.config.schema import FilesConfig, MicrophoneConfig, SourceConfig, StdinConfig
from edge.errors import AudioError
from edge.sources import FileSource, Microphone, StdinSource

BUNDLE = Path("pump1.auscult")


def test_make_source_follows_the_section() -> None:
    assert isinstance(make_source("a", SourceConfig(bundle=BUNDLE, microphone=MicrophoneConfig(device="usb"))), Microphone)
    assert isinstance(make_source("a", SourceConfig(bundle=BUNDLE, stdin=StdinConfig(rate_hz=16000))), StdinSource)
    files = FilesConfig(paths=(Path("a.wav"),), realtime=True)
    source = make_source("a", SourceConfig(bundle=BUNDLE, files=files))
    assert isinstance(source, FileSource)
    assert source.live
    with pytest.raises(ValueError, match="no input"):
        make_source("a", SourceConfig(bundle=BUNDLE))


def test_open_source_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    settings = SourceConfig(bundle=BUNDLE, files=FilesConfig(paths=(path,)))
    with pytest.raises(AudioError, match="no such file"):
        open_source("pump1", settings)
    soundfile.write(path, np.zeros(100), 8000)
    assert open_source("pump1", settings).rate_hz == 8000
