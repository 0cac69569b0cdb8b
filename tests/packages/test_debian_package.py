"""The Debian package: built as `make deb` does, looked at by lintian, and installed, upgraded and purged in a copy of this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from edge.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "packaging" / "debian"
IN_A_COPY = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for folder in run tmp; do mount -t tmpfs tmpfs "$1/root/$folder"; done
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
cp "$2" "$1/root/tmp/auscult.deb"
exec chroot "$1/root" /bin/sh -euc "$3"
"""
NEEDS = ("libportaudio2", "libstdc++6", "systemd", "init-system-helpers")


def builder() -> ModuleType:
    pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    spec = importlib.util.spec_from_file_location("debian_build", DEBIAN / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_locked_lines_are_those_of_one_place_with_hashes_and_without_markers(machine: str, minor: int) -> None:
    lines = builder().locked(minor, machine)
    assert {"numpy", "onnxruntime", "faiss-cpu"} <= {line.partition("==")[0] for line in lines}
    assert len({line.partition("==")[0] for line in lines}) == len(lines)  # one version of each
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==\S+( --hash=sha256:[0-9a-f]{64})+\n", line)] == []


def test_package_is_of_the_version_that_the_changelog_has_on_top() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (newest, day), *_ = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\S+)$", text, re.MULTILINE)
    assert newest == VERSION
    assert builder().released().date().isoformat() == day


@pytest.mark.parametrize("script", ["preinst", "postinst", "prerm", "postrm"])
def test_maintainer_script_is_what_a_shell_reads(script: str) -> None:
    subprocess.run(["sh", "-n", DEBIAN / script], check=True, timeout=10)


def test_package_without_an_index_is_one_line_that_says_so(tmp_path: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed: not Debian")
    environment = os.environ | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    command: list[str | Path] = [sys.executable, DEBIAN / "build.py", "--arch", "arm64", "--python", "3.13", "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("auscult: pip could not fetch requirements/base.lock for aarch64 and Python 3.13, ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built for this machine, in half the time that its usual compression would take."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed: not Debian")
    folder = tmp_path_factory.mktemp("package")
    command: list[str | Path] = [sys.executable, DEBIAN / "build.py", "--compression", "gzip", "--output", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if "(from versions: none)" in done.stderr:
        pytest.skip(f"no package index to be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_package_passes_lintian_without_errors(package: Path) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed; sudo apt install lintian")
    done = subprocess.run(["lintian", "--fail-on", "error", package], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_package_installs_is_verified_upgrades_and_is_purged(package: Path, tmp_path: Path) -> None:
    def in_a_copy(script: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = ["unshare", "--mount", "/bin/sh", "-c", IN_A_COPY, "sh", tmp_path, package, script]
        return subprocess.run(command, capture_output=True, text=True, timeout=500)

    if os.geteuid() != 0 or shutil.which("unshare") is None or in_a_copy("true").returncode:
        pytest.skip("only root can install a package, and overlayfs must be there for a copy of this machine")
    depends = subprocess.run(["dpkg-deb", "--field", package, "Depends"], capture_output=True, text=True, check=True).stdout
    (python,) = re.findall(r"python3\.\d+", depends)
    if subprocess.run(["dpkg-query", "--show", python, *NEEDS], capture_output=True).returncode:
        pytest.skip(f"not all that the package depends on is installed; sudo apt install {python} {' '.join(NEEDS)}")
    done = in_a_copy("""
        cd /
        export PATH=/usr/sbin:/usr/bin:/sbin:/bin
        rm -rf /etc/systemd/system/auscult.service /opt/auscult
        dpkg --install /tmp/auscult.deb >&2
        auscult --version
        test "$(stat -c '%U %a' /var/lib/auscult)" = "auscult 700"
        test "$(stat -c '%G %a' /etc/auscult/config.yaml)" = "auscult 640"
        runuser -u auscult -- cat /etc/auscult/config.yaml >/dev/null
        test -L /etc/systemd/system/multi-user.target.wants/auscult.service
        systemd-analyze verify --man=no auscult.service 2>&1 | grep auscult && exit 1
        runuser -u auscult -- auscult schema | head -c 1
        echo
        echo '# mine' >> /etc/auscult/config.yaml
        touch /var/lib/auscult/pump1.auscult
        dpkg --install /tmp/auscult.deb >&2
        auscult --version
        tail -n 1 /etc/auscult/config.yaml
        dpkg --remove auscult >&2
        test ! -e /usr/lib/auscult
        test ! -e /usr/bin/auscult
        ls /etc/auscult /var/lib/auscult
        dpkg --purge auscult >&2
        find /etc /usr/lib /usr/share /var/lib/auscult -name '*auscult*' 2>/dev/null || true
        """)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        f"auscult {VERSION}",
        "{",
        f"auscult {VERSION}",
        "# mine",
        *("/etc/auscult:", "config.yaml", "", "/var/lib/auscult:", "pump1.auscult"),
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_package_does_not_stand_beside_an_installation_by_make(package: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root can install a package")
    script = "mkdir -p /etc/systemd/system; touch /etc/systemd/system/auscult.service; dpkg --install --force-depends /tmp/auscult.deb"
    command: list[str | Path] = ["unshare", "--mount", "/bin/sh", "-c", IN_A_COPY, "sh", tmp_path, package, script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    if "mount:" in done.stderr:
        pytest.skip(f"no copy of this machine to be had: {done.stderr.splitlines()[-1]}")
    assert done.returncode != 0
    assert "sudo make uninstall" in done.stderr
