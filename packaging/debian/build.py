"""Builds the Debian package: the wheel of this checkout and the wheels of requirements/base.lock, unpacked where dpkg can own them.

    make deb                                    for this machine and its Python
    make deb ARGS="--arch arm64 --python 3.13"  for Raspberry Pi OS 13, from any machine: wheels are unpacked, nothing is run or compiled

The package has the form of a virtual environment (/usr/lib/auscult) on the distribution's Python, whose minor version it depends on. The
systemd files are those of systemd/, with that path in place of /opt/auscult.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT / ".ci")]

from lock import GLIBC_MINOR, MINORS, environment, platforms  # noqa: E402

from edge.version import VERSION  # noqa: E402

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # Debian's name -> the kernel's
PREFIX = "/usr/lib/auscult"
MAINTAINER = "The Auscult authors <auscult@packages.invalid>"
SYSTEMD = {  # systemd/... -> where a package puts it; restart.conf is for postinst to put in place where systemd knows its settings
    "auscult.service": "usr/lib/systemd/system/auscult.service",
    "sysusers.conf": "usr/lib/sysusers.d/auscult.conf",
    "tmpfiles.conf": "usr/lib/tmpfiles.d/auscult.conf",
    "udev.rules": "usr/lib/udev/rules.d/90-auscult.rules",
    "restart.conf": "usr/share/auscult/restart.conf",
    "mosquitto.acl": "usr/share/doc/auscult/examples/mosquitto.acl",
    "auscult-dashboard.service": "usr/share/doc/auscult/examples/auscult-dashboard.service",
}


def main() -> int:
    """Write dist/auscult_VERSION+pyMINOR_ARCH.deb and print its path."""
    arguments = parse()
    minor = int(arguments.python.partition(".")[2])
    os.umask(0o022)
    # What is built twice from one checkout is the same, bit for bit.
    os.environ.setdefault("SOURCE_DATE_EPOCH", str(int(released().timestamp())))
    with tempfile.TemporaryDirectory(prefix="auscult-deb-") as folder:
        root = Path(folder) / "root"
        environment_of(root, minor, MACHINES[arguments.arch], Path(folder))
        system_files(root)
        documentation(root)
        control(root, minor, arguments.arch)
        arguments.output.mkdir(parents=True, exist_ok=True)
        package = arguments.output / f"auscult_{version(minor)}_{arguments.arch}.deb"
        run(
            "dpkg-deb",
            "--root-owner-group",
            f"-Z{arguments.compression}",
            "-z1",
            "--build",
            root,
            package,
            failed="dpkg-deb could not build the package, for the reason above",
        )
    print(package)
    return 0


def parse() -> argparse.Namespace:
    """The command line; the defaults are those of this machine."""
    parser = argparse.ArgumentParser(description="Build the Debian package.")
    parser.add_argument(
        "--arch", choices=MACHINES, default=own_architecture(), help="Debian's name of the processor (default: %(default)s)"
    )
    versions = [f"3.{minor}" for minor in MINORS]
    parser.add_argument("--python", choices=versions, default=own_python(versions), help="the distribution's (default: %(default)s)")
    parser.add_argument(
        "--compression", choices=("xz", "gzip"), default="xz", help="gzip is quicker, and the package larger (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR", help="where to (default: %(default)s)")
    return parser.parse_args()


def own_architecture() -> str:
    """Of this machine; exits with a line where there is no dpkg."""
    if shutil.which("dpkg-deb") is None:
        raise SystemExit("auscult: dpkg-deb is not installed; build on Debian, Ubuntu or Raspberry Pi OS: sudo apt install dpkg")
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def own_python(versions: list[str]) -> str:
    """The distribution's, whatever interpreter builds; the newest that is locked where there is none."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    with tempfile.TemporaryFile() as nowhere:
        done = subprocess.run(["/usr/bin/env", "-i", "/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, stderr=nowhere, text=True)
    return done.stdout.strip() if done.stdout.strip() in versions else versions[-1]


def version(minor: int) -> str:
    """Of the package: one for each Python, so that apt tells them apart."""
    return f"{VERSION}+py3{minor}"


def environment_of(root: Path, minor: int, machine: str, folder: Path) -> None:
    """A virtual environment without pip: links to the distribution's interpreter, and the packages."""
    home = root / PREFIX.lstrip("/")
    packages = home / "lib" / f"python3.{minor}" / "site-packages"
    packages.mkdir(parents=True)
    wheel = own_wheel(folder)
    lock = folder / "base.txt"
    lock.write_text("".join(locked(minor, machine)), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--no-compile", "--no-deps"]
    pip += ["--target", str(packages)]
    target = ["--implementation", "cp", "--python-version", f"3.{minor}", "--only-binary", ":all:", "--require-hashes"]
    for platform in platforms(machine):
        target += ["--platform", platform]
    reason = "for the reason above; often it is the network, or a clock that is wrong (date)"
    run(*pip, *target, "-r", lock, failed=f"pip could not fetch requirements/base.lock for {machine} and Python 3.{minor}, {reason}")
    shutil.rmtree(packages / "bin", ignore_errors=True)  # pip writes programs for the interpreter that runs it
    run(*pip, wheel, failed="the wheel of this checkout could not be built, for the reason above")
    shutil.rmtree(packages / "bin")
    for file in packages.rglob("*"):
        if file.is_file():
            file.chmod(0o644)
    (home / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.{minor}\n", encoding="utf-8")
    (home / "bin").mkdir()
    (home / "bin" / f"python3.{minor}").symlink_to(f"../../../bin/python3.{minor}")
    (home / "bin" / "python3").symlink_to(f"python3.{minor}")
    (home / "bin" / "python").symlink_to("python3")
    program = home / "bin" / "auscult"
    program.write_text(f'#!/bin/sh\nexec {PREFIX}/bin/python3 -I -m auscult "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (root / "usr" / "bin").mkdir()
    (root / "usr" / "bin" / "auscult").symlink_to("../lib/auscult/bin/auscult")


def own_wheel(folder: Path) -> Path:
    """Built from a copy: the checkout stays as it is."""
    copy = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for room in ("benchmarks", "calibrate", "edge", "export"):
        shutil.copytree(ROOT / room, copy / room, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "auscult.py"):
        shutil.copy(ROOT / name, copy)
    build = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run(*build, "--wheel-dir", folder, copy, failed="the wheel of this checkout could not be built, for the reason above")
    return folder / f"auscult-{VERSION}-py3-none-any.whl"


def locked(minor: int, machine: str) -> list[str]:
    """The lines of base.lock that are for there, without markers: pip would evaluate them for the interpreter that runs it."""
    text = (ROOT / "requirements" / "base.lock").read_text(encoding="utf-8").replace(" \\\n", "")
    there = environment((minor, machine))
    lines = []
    for line in (line for line in text.splitlines() if not line.startswith("#")):
        pin, *hashes = line.split(" --hash")
        requirement = Requirement(pin)
        if requirement.marker is None or requirement.marker.evaluate(there):
            lines.append(" --hash".join([f"{requirement.name}{requirement.specifier}", *(part.strip() for part in hashes)]) + "\n")
    return lines


def system_files(root: Path) -> None:
    """systemd's files and the settings that postinst copies where there are none."""
    for name, place in SYSTEMD.items():
        text = (ROOT / "systemd" / name).read_text(encoding="utf-8")
        write(root / place, text.replace("/opt/auscult", PREFIX))
    write(root / "usr/share/auscult/config.yaml", (ROOT / "config.yaml").read_text(encoding="utf-8"))


def documentation(root: Path) -> None:
    """What Debian wants to find in /usr/share/doc, and why lintian need not mind what wheels are like."""
    folder = root / "usr/share/doc/auscult"
    write(folder / "copyright", (HERE / "copyright").read_text(encoding="utf-8"))
    entry = f"auscult ({VERSION}) stable; urgency=medium\n\n  * What has changed: /usr/share/doc/auscult/NEWS.gz\n\n"
    entry += f" -- {MAINTAINER}  {format_datetime(released())}\n"
    compressed(folder / "changelog.gz", entry)
    compressed(folder / "NEWS.gz", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    write(root / "usr/share/lintian/overrides/auscult", (HERE / "lintian-overrides").read_text(encoding="utf-8"))


def control(root: Path, minor: int, arch: str) -> None:
    """The package's name, what it needs, and the scripts around installing it."""
    files = sorted(file for file in root.rglob("*") if file.is_file() and not file.is_symlink())
    sums = "".join(f"{hashlib.md5(file.read_bytes()).hexdigest()}  {file.relative_to(root)}\n" for file in files)
    size_kb = sum(file.stat().st_size + 1023 for file in files) // 1024
    values = {
        "VERSION": version(minor),
        "ARCH": arch,
        "MAINTAINER": MAINTAINER,
        "SIZE": str(size_kb),
        "PYTHON": f"python3.{minor}",
        "GLIBC": f"2.{GLIBC_MINOR}",
    }
    text = re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], (HERE / "control").read_text(encoding="utf-8"))
    write(root / "DEBIAN/control", text)
    write(root / "DEBIAN/md5sums", sums)
    for script in ("preinst", "postinst", "prerm", "postrm"):
        write(root / "DEBIAN" / script, (HERE / script).read_text(encoding="utf-8"))
        (root / "DEBIAN" / script).chmod(0o755)


def released() -> datetime:
    """The day of the newest version in CHANGELOG.md."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    match = re.search(rf"^## \[{re.escape(VERSION)}\] - (\d{{4}}-\d\d-\d\d)$", text, re.MULTILINE)
    if match is None:
        raise SystemExit(f"auscult: CHANGELOG.md has no section [{VERSION}] with a date; edge/version.py and CHANGELOG.md must agree")
    return datetime.fromisoformat(match[1]).replace(tzinfo=timezone.utc)


def write(path: Path, text: str) -> None:
    """A file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def compressed(path: Path, text: str) -> None:
    """The same, without a time in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def run(*command: str | Path, failed: str) -> None:
    """Run a program; exits with the line `failed`, after what it said itself."""
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        raise SystemExit(f"auscult: {failed}")


if __name__ == "__main__":
    sys.exit(main())
