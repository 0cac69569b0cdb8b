"""Which process of pytest-xdist runs which file: the last of three or more takes those that mostly wait, while the others compute."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

WAITING = (  # for microphones, brokers and clocks, in real time: those that take longest first
    "tests/faults/test_faults.py",
    "tests/test_real_audio_path.py",
    "tests/edge/dashboard/test_browser.py",
    "tests/edge/sources/test_microphone.py",
    "tests/edge/sources/test_url.py",
    "tests/edge/remote/test_watch_daemon.py",
    "tests/edge/remote/test_retained_commands.py",
    "tests/edge/node/test_reload.py",
    "tests/edge/node/test_url_source.py",
    "tests/edge/homeassistant/test_discovery_daemon.py",
    "tests/edge/node/test_several_sources.py",
    "tests/edge/clips/test_clips_daemon.py",
    "tests/edge/node/test_overload.py",
    "tests/edge/remote/test_remote_daemon.py",
)


class SideBySide(LoadFileScheduling):  # type: ignore[misc]  # without types
    """One file after the other, in the order in which they were collected; each stays in one process."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        waiting = [file for file in WAITING if file in self.workqueue]
        computing = [file for file in self.workqueue if file not in WAITING]
        is_last = len(self.nodes) > 2 and node is self.nodes[-1]
        first = (waiting or computing) if is_last else (computing or waiting)
        self.workqueue.move_to_end(first[0], last=False)
        super()._assign_work_unit(node)
