from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.broker import Broker
from tests.certificates import Authority

# A terminal of its own, at which OpenSSL would ask.
_RUN = "import fcntl, runpy, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); runpy.run_module('edge', run_name='__main__')"


def test_key_with_a_passphrase_is_one_line_and_no_question(broker: Broker, tmp_path: Path) -> None:
    cert_file, _ = Authority(tmp_path).issue("page")
    secret = serialization.BestAvailableEncryption(b"secret")
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    (tmp_path / "config.yaml").write_text(
        f"mqtt: {{host: 127.0.0.1, port: {broker.port}}}\n"
        f"dashboard: {{listen: '127.0.0.1:0', history: h/h.sqlite, tls: {{cert_file: {cert_file}, key_file: key.pem}}}}\n"
    )
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", _RUN, "dashboard", "--config", "config.yaml"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, start_new_session=True) as process:
        try:
            assert process.wait(30.0) == 2
        finally:
            process.kill()
    said = os.read(ours, 4000).decode()
    os.close(ours)
    os.close(theirs)
    assert "the key without a passphrase" in said
    assert said.count("\n") == 1
