"""Scans by the workers of a dask scheduler: the same table, whatever happens to workers and scheduler."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from spotter.errors import ModelError
from spotter.scan import cluster, work
from spotter.scan.finding import find
from spotter.scan.rows import KILLS, Heard, Recording, Task
from spotter.settings import DecoderConfig
from tests.archive import archive, lines, scan
from tests.dask_cluster import DaskCluster
from tests.processes import LIMIT_S, started, until

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A scheduler with two worker processes, which are started again when they die."""
    with DaskCluster(tmp_path_factory.mktemp("dask"), 2) as crew:
        yield crew


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(tmp_path_factory.mktemp("archive") / "recordings", 30)


@pytest.fixture(scope="module")
def wanted(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table that one process writes."""
    out = tmp_path_factory.mktemp("one") / "found.csv"
    assert scan(recordings, out) == 0
    return out.read_bytes()


@contextmanager
def begun(recordings: Path, out: Path, scheduler: str, least: int) -> Iterator[subprocess.Popen[str]]:
    """A scan of its own process that has heard so many recordings."""
    command = [sys.executable, "-m", "spotter", "scan", str(recordings), "--out", str(out), "--scheduler", scheduler]
    journal = out.with_name(f"{out.name}.files.jsonl")
    with started(command, stderr=subprocess.PIPE) as process:
        until(lambda: lines(journal) > least)
        yield process


def test_two_worker_processes_write_the_same_table(
    two: DaskCluster, recordings: Path, wanted: bytes, tmp_path: Path
) -> None:
    assert scan(recordings, tmp_path / "found.csv", "--scheduler", two.address) == 0
    assert (tmp_path / "found.csv").read_bytes() == wanted


def test_a_killed_worker_loses_nothing(two: DaskCluster, recordings: Path, wanted: bytes, tmp_path: Path) -> None:
    out = tmp_path / "found.csv"
    with two.held() as let_go, begun(recordings, out, two.address, 3) as process:
        two.kill_worker()
        assert lines(out) == 0, "it was in the middle"
        let_go()
        _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, said
    assert out.read_bytes() == wanted
    assert lines(tmp_path / "found.csv.files.jsonl") == 31, "each recording once"


def test_a_recording_that_kills_workers_repeatedly_is_broken_and_the_others_are_heard(
    two: DaskCluster, recordings: Path, wanted: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "recordings"
    shutil.copytree(recordings, folder)
    (folder / "deadly.wav").touch()
    assert scan(folder, tmp_path / "found.csv", "--scheduler", two.address) == 2
    assert f"broken: 'deadly.wav': {KILLS}" in capsys.readouterr().err
    assert (tmp_path / "found.csv").read_bytes() == wanted


def test_workers_that_do_not_see_a_recording_end_the_scan_with_the_fix(
    two: DaskCluster, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "unseen"
    shutil.copytree(recordings, folder)
    assert scan(folder, tmp_path / "found.csv", "--scheduler", two.address) == 2
    assert f"the worker on {socket.gethostname()} does not see {folder}/" in (said := capsys.readouterr().err)
    assert "make the folder visible there at the same path" in said


def test_a_model_that_is_another_there_ends_the_scan(two: DaskCluster, recordings: Path) -> None:
    other = Task(model="commands", digest="of another", decoder=DecoderConfig())
    with pytest.raises(ModelError, match="the model commands is another here"):
        list(cluster.heard(two.address, other, find(recordings).recordings))


def test_a_scheduler_that_is_not_there_is_said(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("spotter.scan.cluster._CONNECT_S", 0.5)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        assert scan(recordings, tmp_path / "found.csv", "--scheduler", address) == 1
    assert f"no dask scheduler answers at {address}; start one with `dask scheduler`" in capsys.readouterr().err


def test_workers_that_are_all_gone_end_the_scan_and_none_at_the_start_does_too(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import distributed

    monkeypatch.setattr("spotter.scan.cluster._FIRST_WORKER_S", 0.1)
    monkeypatch.setattr("spotter.scan.cluster._NO_WORKER_S", 0.5)
    monkeypatch.setattr("spotter.scan.cluster._TICK_S", 0.2)
    journal = tmp_path / "found.csv.files.jsonl"
    crew: Any = distributed.LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    )
    with crew:
        really = work.hear

        def hear(task: Task, recording: Recording) -> Heard:
            until(lambda: not crew.workers or lines(journal) < 4)  # then the worker goes
            return really(task, recording)

        monkeypatch.setattr(work, "hear", hear)

        def leave() -> None:
            until(lambda: lines(journal) > 3)
            crew.scale(0)

        leaving = threading.Thread(target=leave)
        leaving.start()
        assert scan(recordings, tmp_path / "found.csv", "--scheduler", crew.scheduler_address) == 1
        leaving.join()
        assert "has no workers any more" in capsys.readouterr().err
        assert lines(tmp_path / "found.csv") > 3
        assert scan(recordings, tmp_path / "found.csv", "--scheduler", crew.scheduler_address) == 1
        assert f"no workers; start some with `dask worker {crew.scheduler_address}`" in capsys.readouterr().err


def test_a_scheduler_that_is_killed_in_the_middle_keeps_the_rows_and_the_scan_goes_on_later(
    two: DaskCluster, recordings: Path, wanted: bytes, tmp_path: Path
) -> None:
    """The last of this file, since it ends what the others share."""
    out = tmp_path / "found.csv"
    with two.held(), begun(recordings, out, two.address, 3) as process:
        two.kill_scheduler()
        _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1
    assert f"the scheduler {two.address} is gone; what was heard is kept, and the same command goes on" in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 2
    known = lines(tmp_path / "found.csv.files.jsonl") - 1
    assert 3 <= known < 30
    assert set(out.read_bytes().splitlines()) < set(wanted.splitlines())
    assert scan(recordings, out) == 0
    assert out.read_bytes() == wanted
