"""Whether the broker takes us: name, TCP, TLS and login, by the code that the daemon connects with."""

from __future__ import annotations

import stat
from dataclasses import replace

from edge.config.credentials import is_out_of_reach
from edge.config.schema import MqttConfig
from edge.doctor.finding import Finding, fail, ok, warn
from edge.mqtt.connection import Connection
from edge.mqtt.refusal import ConnectError, PostponedError, RefusedError
from edge.mqtt.settings import BrokerSettings

CHECK = "broker"
SUFFIX = "-doctor"  # of the client id: with the daemon's own, the broker would throw the daemon out


def check_broker(mqtt: MqttConfig) -> Finding:
    """Connect once and say goodbye; nothing is published, and no will is left.

    Raises
    ------
    AuscultError : the password or a TLS file cannot be used
    """
    if mqtt.password_file is not None and is_out_of_reach(mqtt.password_file):
        return warn(
            CHECK,
            f"the password is the service's credential {mqtt.password_file.name}, which only the service can read; not tried",
            "see what the service says: journalctl -u auscult -n 20",
        )
    settings = BrokerSettings.from_config(mqtt)
    tls = None if settings.tls is None else settings.tls.context()
    settings = replace(settings, client_id=settings.client_id + SUFFIX)
    try:
        connection = Connection(settings, None, tls)
        connection.open()
    except (RefusedError, PostponedError) as error:  # these say what to do
        return fail(CHECK, f"{settings.endpoint}: {error}")
    except ConnectError as error:
        return fail(CHECK, f"{settings.endpoint}: {error}", "does it run, are mqtt.host and mqtt.port right, is a firewall between?")
    connection.close()
    login = "without a login" if settings.username is None else f"logged in as {settings.username}"
    how = "in plain text" if settings.tls is None else "over TLS, its certificate verified"
    told = f"{settings.endpoint}: connected {how}, {login}, MQTT {settings.protocol}"
    if mqtt.password_file is not None and mqtt.password_file.stat().st_mode & stat.S_IROTH:
        return warn(CHECK, f"{told}; everybody on this device may read {mqtt.password_file}", f"sudo chmod o= {mqtt.password_file}")
    return ok(CHECK, told)
