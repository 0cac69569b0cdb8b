from __future__ import annotations

import pytest

from edge.errors import DeviceError
from edge.sources.inputs import InputDevice, choose_input, name_for


def device(index: int, name: str, host_api: str = "ALSA", default: bool = False) -> InputDevice:
    return InputDevice(index, name, host_api, 2, 48000, default)


USB = device(0, "USB PnP Sound Device: Audio (hw:1,0)")
TWIN = device(1, "USB PnP Sound Device: Audio (hw:2,0)")
WEBCAM = device(2, "HD Webcam: USB Audio (hw:3,0)")
PULSE = device(3, "pulse")
SYSTEM_DEFAULT = device(4, "sysdefault")
DEFAULT = device(5, "default", default=True)
JACK = device(6, "pulse", "JACK Audio Connection Kit")
ONE_OF_EACH = [USB, WEBCAM, PULSE, SYSTEM_DEFAULT, DEFAULT]


def test_choose_input_part_of_a_name_in_any_case_finds_it() -> None:
    assert choose_input(ONE_OF_EACH, "usb pnp") is USB
    assert choose_input(ONE_OF_EACH, "WEBCAM") is WEBCAM


def test_choose_input_equal_name_goes_before_names_that_contain_it() -> None:
    assert choose_input([PULSE, device(7, "pulse-monitor")], "pulse") is PULSE


def test_choose_input_default_is_what_portaudio_says() -> None:
    assert choose_input(ONE_OF_EACH, "default") is DEFAULT
    assert choose_input([USB, device(1, "built-in", default=True)], "default").name == "built-in"


def test_choose_input_several_that_fit_are_listed() -> None:
    with pytest.raises(DeviceError) as caught:
        choose_input(ONE_OF_EACH, "usb")
    message = str(caught.value)
    assert message.startswith('device "usb": fits 2 input devices: ')
    assert USB.name in message
    assert WEBCAM.name in message
    assert PULSE.name not in message


def test_choose_input_twins_are_ambiguous_by_their_common_name() -> None:
    with pytest.raises(DeviceError, match="fits 2"):
        choose_input([USB, TWIN], "USB PnP Sound Device: Audio")
    assert choose_input([USB, TWIN], TWIN.name) is TWIN


def test_choose_input_host_api_tells_namesakes_apart() -> None:
    with pytest.raises(DeviceError, match="host_api"):
        choose_input([PULSE, JACK], "pulse")
    assert choose_input([PULSE, JACK], "pulse", "jack") is JACK


def test_choose_input_unknown_lists_what_there_is() -> None:
    with pytest.raises(DeviceError, match=r'device "geophone": no such input device; available: .*"pulse" \(ALSA\)'):
        choose_input(ONE_OF_EACH, "geophone")
    with pytest.raises(DeviceError, match="with host_api jack"):
        choose_input(ONE_OF_EACH, "pulse", "jack")
    with pytest.raises(DeviceError, match="available: none"):
        choose_input([], "default")


@pytest.mark.parametrize("index", ["1", "hw:1,0", "(hw:1,0)", "1,0", "", " "])
def test_choose_input_index_alone_is_refused(index: str) -> None:
    with pytest.raises(DeviceError, match="not a name"):
        choose_input([USB], index)


def test_name_for_every_device_finds_it_again() -> None:
    for devices in (ONE_OF_EACH, [USB, TWIN, PULSE, JACK]):
        for wanted in devices:
            assert choose_input(devices, *name_for(wanted, devices)) is wanted


def test_name_for_leaves_the_index_out_unless_nothing_else_differs() -> None:
    assert name_for(USB, ONE_OF_EACH) == ("USB PnP Sound Device: Audio", None)
    assert name_for(USB, [USB, TWIN]) == (USB.name, None)
    assert name_for(JACK, [PULSE, JACK]) == ("pulse", "JACK Audio Connection Kit")
