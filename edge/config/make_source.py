"""Make a source from its section of config.yaml."""

from __future__ import annotations

from edge.config.schema import SourceConfig
from edge.sources import FileSource, Microphone, Source, StdinSource


def make_source(name: str, settings: SourceConfig) -> Source:
    """The source that a section of config.yaml describes, not opened yet."""
    if microphone := settings.microphone:
        return Microphone(
            name,
            microphone.device,
            host_api=microphone.host_api,
            rate_hz=microphone.rate_hz,
            channels=microphone.channels,
            channel=microphone.channel,
        )
    if files := settings.files:
        return FileSource(name, files.paths, realtime=files.realtime, loop=files.loop, channel=files.channel)
    if stdin := settings.stdin:
        return StdinSource(name, rate_hz=stdin.rate_hz, channels=stdin.channels, sample_format=stdin.format, channel=stdin.channel)
    if url := settings.url:
        from edge.sources.url import UrlSource  # which nodes without one need not load

        return UrlSource(
            name,
            url.address,
            read_login=url.login,
            ca_file=url.ca_file,
            rate_hz=url.rate_hz,
            channels=url.channels,
            channel=url.channel,
        )
    raise ValueError(f"source {name} has no input")  # edge.config.load refuses such a section


def open_source(name: str, settings: SourceConfig) -> Source:
    """Make a source and open it.

    Raises
    ------
    DeviceError, AudioError : see the source's `open`
    """
    source = make_source(name, settings)
    source.open()
    return source
