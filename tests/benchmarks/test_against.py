from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.against import compared
from benchmarks.checkout import ROOT, checked_out
from benchmarks.figure import Figure
from benchmarks.pipeline_meter import Piece
from edge.console.cli import run_command
from edge.errors import UserError

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
needs_checkout = pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="needs a checkout of git")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    return subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for text in ("old", "new"):
        (folder / "code.py").write_text(text)
        git(folder, "add", "code.py")
        git(folder, "commit", "--quiet", "--message", text)
    (folder / "code.py").write_text("not committed")
    return folder


@needs_git
def test_checked_out_revision_is_there_for_a_while_and_the_working_tree_stays(repository: Path, tmp_path: Path) -> None:
    with checked_out("HEAD~1", tmp_path, repository) as tree:
        assert (tree.root / "code.py").read_text() == "old"
        assert tree.commit == git(repository, "rev-parse", "HEAD~1")
        assert tree.environment["PYTHONPATH"] == str(tree.root)
    assert not tree.root.exists()
    assert (repository / "code.py").read_text() == "not committed"
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@needs_git
def test_checked_out_revision_is_removed_when_the_measurement_fails(repository: Path, tmp_path: Path) -> None:
    def fail() -> None:
        with checked_out("HEAD", tmp_path, repository):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@needs_git
@pytest.mark.parametrize("revision", ["v9", "", "--all", "HEAD~7", "HEAD:code.py"])
def test_checked_out_unknown_revision_is_refused(repository: Path, tmp_path: Path, revision: str) -> None:
    with pytest.raises(UserError, match=f"^--against {revision}: no such revision here; give a tag, branch or commit"):
        checked_out(revision, tmp_path, repository).__enter__()


def test_checked_out_of_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"needs a checkout of git, and .* is none; run it in a clone of the repository"):
        checked_out("main", tmp_path, tmp_path).__enter__()


def test_checked_out_without_git_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs git, which is not installed"):
        checked_out("main", tmp_path, tmp_path).__enter__()


@needs_checkout
def test_cost_against_an_unknown_revision_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", ["cost", "--against", "no/such"]) == 2
    said = "no such revision here; give a tag, branch or commit that `git log` knows"
    assert capsys.readouterr().err == f"auscult: --against no/such: {said}\n"


def piece(ms: float, scores: list[float | None], **stages: float) -> Piece:
    return Piece(ms, stages, scores, [score is not None and score >= 1.0 for score in scores])


def test_compared_takes_the_ratio_piece_by_piece_and_the_farthest_score() -> None:
    before = [piece(ms, [0.5, 1.01], detector=ms / 2) for ms in (10.0, 40.0, 20.0)]
    now = [piece(ms, [0.5, 0.99], detector=ms, judge=1.0) for ms in (5.0, 20.0, 12.0)]
    against = compared("abc", before, now)
    assert against.stages["pipeline"].before == Figure(20.0, 10.0, 40.0)
    assert against.stages["pipeline"].ratio == Figure(0.5, 0.5, 0.6)
    assert against.stages["detector"].ratio == Figure(1.0, 1.0, 1.2)
    assert against.stages["judge"].ratio is None
    assert against.score_difference == pytest.approx(0.02)
    assert (against.windows, against.alarms_before, against.alarms_differ) == (6, 3, 3)


def test_compared_score_that_only_one_knows_is_no_small_difference() -> None:
    assert compared("abc", [piece(1.0, [None, None])], [piece(1.0, [None, 0.2])]).score_difference == math.inf


@needs_checkout
@pytest.mark.slow
def test_cost_against_its_own_revision_measures_both_and_finds_the_same_scores(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["cost", "--against", "HEAD", "--repeats", "1", "--coreset", "50", "--format", "json"]
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["against"]["commit"] == git(ROOT, "rev-parse", "HEAD")
    assert 18 <= result["windows"] <= 21
    assert result["score_difference"] < 1e-4
    assert result["alarms_differ"] == 0
    assert 0.1 < result["stages"]["pipeline"]["ratio"]["median"] < 10.0
