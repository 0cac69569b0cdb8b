"""`metrics.listen` that cannot be served is one line before anything begins; one that is not set costs nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edge.config.load import load_config
from edge.doctor.metrics import check_metrics
from edge.errors import ConfigError
from edge.metrics.serving import open_server
from tests.broker import HOST, Broker, free_port
from tests.bundles import CalibratedMachine

PROJECT = Path(__file__).parents[3]
# `auscult run` in a process of its own, with packages that are not to be found, which tells in the end what it has imported.
PROGRAM = """
import json, sys
hidden, config = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(hidden))
import auscult
code = auscult.main(["run", "--config", config])
print(json.dumps([name for name, module in sys.modules.items() if module is not None]))
sys.exit(code)
"""


def write_config(folder: Path, machine: CalibratedMachine, port: int, **sections: object) -> Path:
    config = {
        "node": "test",
        "mqtt": {"host": HOST, "port": port},
        "outbox": {"path": str(folder / "outbox.sqlite")},
        "sources": {"pump1": {"bundle": str(machine.bundle), "files": {"paths": [str(machine.recordings[0])]}}},
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def ran(config: Path, *hidden: str) -> tuple[int, str, list[str]]:
    """Exit code, standard error and what was imported."""
    command = [sys.executable, "-c", PROGRAM, json.dumps([hidden, str(config)])]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stderr, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "listen", [9464, "9464", ":9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "http://127.0.0.1:9464", "::1:9464", "a b:9464", ""]
)
def test_config_metrics_listen_that_is_no_address_names_the_key(machine: CalibratedMachine, tmp_path: Path, listen: object) -> None:
    path = write_config(tmp_path, machine, 1883, metrics={"listen": listen})
    with pytest.raises(ConfigError, match=r"config\.yaml:\d+: metrics\.listen: expected a"):
        load_config(path)


@pytest.mark.parametrize("listen", ["127.0.0.1:9464", "[::1]:9464", "localhost:80", "0.0.0.0:65535", "node-1.example:1"])
def test_config_metrics_listen_takes_addresses_and_names(machine: CalibratedMachine, tmp_path: Path, listen: str) -> None:
    assert load_config(write_config(tmp_path, machine, 1883, metrics={"listen": listen})).metrics.listen == listen


def test_run_without_metrics_imports_nothing_of_them(broker: Broker, machine: CalibratedMachine, tmp_path: Path) -> None:
    code, log, imported = ran(write_config(tmp_path, machine, broker.port))
    assert code == 0, log
    assert "edge.node.node_report" in imported
    new = ("prometheus_client", "edge.metrics", "http.server", "wsgiref", "socketserver")
    assert not [name for name in imported if name.startswith(new)]


def test_run_with_an_address_in_use_is_one_line_and_nothing_is_connected(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    with socket.socket() as other, broker.subscriber() as subscriber:
        other.bind((HOST, 0))
        other.listen()
        listen = f"{HOST}:{other.getsockname()[1]}"
        code, log, _ = ran(write_config(tmp_path, machine, broker.port, metrics={"listen": listen}))
        assert code == 2
        assert log == (
            f"auscult: metrics.listen: {listen}: address already in use; another program, or another node, listens there; "
            "choose another port\n"
        )
        assert subscriber.messages == []
        assert check_metrics(listen).verdict == "WARN"


def test_run_without_the_extra_is_one_line(machine: CalibratedMachine, tmp_path: Path) -> None:
    code, log, _ = ran(write_config(tmp_path, machine, 1, metrics={"listen": f"{HOST}:{free_port()}"}), "prometheus_client")
    assert code == 2
    assert log == (
        "auscult: metrics.listen: needs the package prometheus-client; install it with: pip install 'auscult[metrics]', or remove the key\n"
    )


def test_run_on_all_networks_warns_once_that_there_is_no_password(broker: Broker, machine: CalibratedMachine, tmp_path: Path) -> None:
    listen = f"0.0.0.0:{free_port()}"
    code, log, _ = ran(write_config(tmp_path, machine, broker.port, metrics={"listen": listen}))
    assert code == 0, log
    (warning,) = [line for line in log.splitlines() if "password" in line]
    assert f"WARNING auscult.metrics: metrics.listen: {listen} has no password" in warning


@pytest.mark.parametrize(
    ("listen", "told"), [("192.0.2.1:9464", "this device has no such address"), ("no-such-host.invalid:9464", "no such address")]
)
def test_server_on_an_address_of_another_device_says_so(listen: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"^metrics.listen: {listen}: .*{told}"):
        open_server(listen, bytes)


def test_doctor_of_metrics_that_can_be_served_is_content() -> None:
    assert check_metrics(f"{HOST}:{free_port()}").verdict == "OK"


def test_doctor_of_metrics_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"pip install 'auscult\[metrics\]'"):
        check_metrics(f"{HOST}:{free_port()}")
