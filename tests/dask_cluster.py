"""A dask scheduler and its workers, each a process of its own, on the loopback address.

While it is `held`, workers wait before recordings in the folder `b`, so that something can happen in the middle; one
called `deadly…` kills the process that hears it, and one called `unseen…` is not there for them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

_SLOW = """
import os, pathlib, signal, time
from spotter.scan import cluster, work
held = pathlib.Path(os.environ["SPOTTER_TEST_HELD"])  # not beside this file, of which dask makes copies
if not hasattr(work, "really"):
    work.really, exists = work.hear, os.path.exists
    def hear(task, recording):
        while held.exists() and recording.name.startswith("b/"):
            time.sleep(0.01)
        if recording.name.startswith("deadly"):
            os.kill(os.getpid(), signal.SIGKILL)
        return work.really(task, recording)
    work.hear = hear
    os.path.exists = lambda path: "unseen" not in str(path) and exists(path)
"""


class DaskCluster:
    """`with DaskCluster(folder, workers=2) as cluster:`."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder, self._wanted = folder, workers
        self.address = ""
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def _start(self) -> None:
        about = self._folder / "scheduler.json"
        (self._folder / "slow.py").write_text(_SLOW)
        self._dask("scheduler", "--port", "0", "--scheduler-file", str(about))
        self.address = json.loads(self._read(about))["address"]
        preload = ("--preload", str(self._folder / "slow.py"), "--nthreads", "1")
        for _ in range(self._wanted):
            self._dask("worker", self.address, *preload, "--local-directory", str(self._folder))
        self._until(lambda: len(self.workers()) == self._wanted)

    def workers(self) -> dict[str, int]:
        """Addresses and process ids of the processes that work."""
        import distributed

        client: Any = distributed.Client(self.address, set_as_default=False)  # type: ignore[no-untyped-call]
        try:
            return dict(client.run(os.getpid))
        finally:
            client.close()

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        """Have nothing of the folder `b` heard, until the end or until what this gives is called."""
        held = self._folder / "held"
        held.touch()
        let_go = partial(held.unlink, missing_ok=True)
        try:
            yield let_go
        finally:
            let_go()

    def kill_worker(self) -> None:
        """Kill one that works; another is started in its place."""
        os.kill(next(iter(self.workers().values())), signal.SIGKILL)

    def kill_scheduler(self) -> None:
        self._kill(self._processes[0])

    def _dask(self, *arguments: str) -> None:
        command = [
            sys.executable,
            "-m",
            "dask",
            *arguments,
            "--host",
            "127.0.0.1",
            "--dashboard-address",
            "127.0.0.1:0",
        ]
        held = str(self._folder / "held")
        environment = {**os.environ, "SPOTTER_TEST_HELD": held, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
        root = str(Path(__file__).parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        with (self._folder / "dask.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
            )

    def _end(self) -> None:
        for process in self._processes:
            self._kill(process)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill it with what it has started."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _read(self, path: Path) -> str:
        self._until(lambda: path.exists() and path.read_text().rstrip().endswith("}"))
        return path.read_text()

    def _until(self, condition: Any) -> None:
        deadline = time.monotonic() + 60.0
        while not condition():
            assert time.monotonic() < deadline, (self._folder / "dask.log").read_text()[-3_000:]
            time.sleep(0.05)
