"""Scans by several processes: the same table, whatever happens to a process."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from spotter.scan import jobs
from spotter.scan.finding import find
from spotter.scan.rows import KILLS, Heard, Recording
from tests.archive import add_broken, archive, scan

pytest.importorskip("joblib")


def test_two_processes_write_the_same_table(tmp_path: Path) -> None:
    folder = archive(tmp_path / "recordings")
    add_broken(folder)
    assert scan(folder, tmp_path / "one.csv") == 2
    assert scan(folder, tmp_path / "two.csv", "--jobs", "2") == 2
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


def hear(log: Path, recording: Recording) -> Heard:
    """Stands for the work: one kind of recording ends its process, another only the first time."""
    with log.open("a") as file:
        file.write(f"{recording.name}\n")
    first = log.read_text().split().count(recording.name) == 1
    if recording.name.startswith("deadly") or (recording.name.startswith("unlucky") and first):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return Heard(recording=recording)


def test_a_process_that_dies_loses_nothing_and_what_kills_each_time_is_broken(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number in range(20):
        name = {3: "deadly", 11: "unlucky"}.get(number, "good")
        (folder / f"{name}{number}.wav").touch()
    recordings = find(folder).recordings
    heard = list(jobs.heard(partial(hear, tmp_path / "log"), recordings, 2))
    assert sorted(one.recording.name for one in heard) == sorted(one.name for one in recordings), "each once"
    assert {one.recording.name: one.problem for one in heard if one.problem} == {"deadly3.wav": KILLS}
    tried = (tmp_path / "log").read_text().split()
    assert tried.count("deadly3.wav") == 3
    assert tried.count("good0.wav") <= 2


# It fails where it is ended while it hands something out, which harms nobody.
@pytest.mark.filterwarnings("ignore:Exception in thread ExecutorManagerThread")
def test_results_that_nobody_takes_are_no_warning(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number in range(50):
        (folder / f"good{number}.wav").touch()
    results = jobs.heard(partial(hear, tmp_path / "log"), find(folder).recordings, 2)
    next(results)
    time.sleep(0.2)  # more are ready, and more are under way
    results.close()  # a warning would be an error here
