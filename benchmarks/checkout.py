"""Another revision of this checkout, in a git worktree of its own for a while."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Tree:
    """Code of one revision."""

    root: Path
    commit: str = ""  # empty for the code that runs, which need not be committed

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which Python finds this code before any that is installed."""
        return {**os.environ, "PYTHONPATH": str(self.root)}

    def __str__(self) -> str:
        return self.commit[:12] or str(self.root)


HERE = Tree(ROOT)


@contextmanager
def checked_out(revision: str, folder: Path, root: Path = ROOT) -> Iterator[Tree]:
    """Check out a revision of the repository at `root` below `folder`, and remove it afterwards.

    Raises
    ------
    UserError
        When `root` is no checkout of git, or has no such revision.
    """
    subject = f"--against {revision}"
    if not (root / ".git").exists():
        raise UserError(subject, f"needs a checkout of git, and {root} is none; run it in a clone of the repository")
    try:
        commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except FileNotFoundError as error:
        raise UserError(subject, "needs git, which is not installed; run: sudo apt install git") from error
    except subprocess.CalledProcessError as error:
        raise UserError(subject, "no such revision here; give a tag, branch or commit that `git log` knows") from error
    tree = folder / "revision"
    try:
        _git(root, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", str(tree), commit)
    except subprocess.CalledProcessError as error:
        raise UserError(subject, f"cannot be checked out ({(error.stderr.strip().splitlines() or ['no reason given'])[-1]})") from error
    try:
        yield Tree(tree, commit)
    finally:
        _git(root, "worktree", "remove", "--force", str(tree))


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True).stdout
