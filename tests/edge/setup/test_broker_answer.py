from __future__ import annotations

import pytest

from edge.errors import UserError
from edge.setup.broker_answer import BrokerAnswer, parse_broker


@pytest.mark.parametrize(
    ("written", "host", "port", "tls"),
    [
        ("localhost", "localhost", 0, None),
        ("broker.local:1884", "broker.local", 1884, None),
        ("10.0.0.5:8883", "10.0.0.5", 8883, True),
        ("mqtt://broker.local:8883", "broker.local", 8883, False),
        ("mqtts://broker.local/", "broker.local", 0, True),
        ("[fe80::1]:8883", "fe80::1", 8883, True),
        ("[::1]", "::1", 0, None),
        ("fe80::1", "fe80::1", 0, None),
        ("MQTTS://[::1]:1", "::1", 1, True),
    ],
)
def test_broker_as_people_write_it(written: str, host: str, port: int, tls: bool | None) -> None:
    assert parse_broker(written) == BrokerAnswer(host, port, tls)


@pytest.mark.parametrize("written", ["", "a b", "h:", "h:70000", "h:x", "u@h", "http://h", "h/topic", "[h]", "[::1", "::1]:8883", "a:b:c"])
def test_broker_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(UserError, match="expected a name or an address"):
        parse_broker(written)
