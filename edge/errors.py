"""All errors of Auscult, as one small tree.

AuscultError                 a runtime failure: one clear line, exit code 1
└── UserError                a mistake of the user's: one clear line, exit code 2
    ├── ConfigError          config.yaml: path, line, key and what to write instead
    ├── BundleError          a bundle that is missing, damaged, foreign or tampered with
    ├── BackboneError        a backbone that is missing, damaged or not the one a bundle needs
    ├── CheckpointError      a CNN14 checkpoint that cannot be loaded strictly
    ├── AudioError           an audio file that is missing, unreadable, empty or too short
    ├── DeviceError          a microphone that does not exist or cannot be opened
    ├── BrokerError          a broker that refuses: login, certificate, protocol
    ├── OutboxError          an outbox file that another daemon uses, or that is a folder
    └── StoreError           a store of learned features that is missing, damaged, of another kind, or holds too little

Every message is one line that names the file, key, device or endpoint first and then says what to do:
``pump1.auscult: not an Auscult bundle (no manifest.json); calibrate again or copy the file again``.
"""

from __future__ import annotations

LONGEST = 1500  # characters of a problem, which may quote what a hostile file holds; what to do stands at the end, so that stays


class AuscultError(Exception):
    """A failure that Auscult explains in one line; the process exits with `exit_code`."""

    exit_code = 1

    def __init__(self, subject: object, problem: str) -> None:
        """`subject` is what the user would look at (a path, key, device or endpoint); `problem` says what is wrong and what to do."""
        self.subject = str(subject)
        self.problem = problem if len(problem) <= LONGEST else f"{problem[: LONGEST - 500]} ... {problem[-500:]}"
        super().__init__(" ".join(f"{self.subject}: {self.problem}".split()))


def unreadable(error: OSError) -> str:
    """Return the problem of a file or folder that cannot be read and, where the user has no right to it, what to do."""
    problem = f"cannot be read: {error.strerror or error}"
    if isinstance(error, PermissionError):
        problem += "; copy it to a folder that this user may read, or run the command as a user who may (sudo -u USER)"
    return problem


class UserError(AuscultError):
    """A mistake that the user can mend."""

    exit_code = 2


class ConfigError(UserError):
    """A mistake in config.yaml."""


class BundleError(UserError):
    """A bundle that cannot be trusted or used."""


class BackboneError(UserError):
    """A backbone that cannot be used."""


class CheckpointError(UserError):
    """A CNN14 checkpoint that cannot be loaded strictly."""


class AudioError(UserError):
    """An audio file that cannot be read or holds too little."""


class DeviceError(UserError):
    """A microphone that is not there or cannot be opened."""


class BrokerError(UserError):
    """A broker that will not have us, however often we try."""


class OutboxError(UserError):
    """An outbox file that cannot be ours."""


class StoreError(UserError):
    """A store of learned features that cannot be used."""
