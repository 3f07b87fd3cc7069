"""Scans by one process, which a recording may end: the same command goes on, and gets past it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from spotter.cli import scan as command
from spotter.errors import BadInputError, SpotterError
from spotter.scan import here
from spotter.scan.journal import Journal
from spotter.scan.rows import KILLS, Heard, Recording, Task
from spotter.scan.scanning import Scan
from spotter.settings import DecoderConfig
from tests.archive import archive, lines, scan

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by signals")


def hear(log: Path, recording: Recording) -> Heard:
    """Stand for the work: one recording ends its process each time, another only once."""
    with log.open("a") as file:
        file.write(f"{recording.name} {os.getpid()}\n")
    if recording.name == "deadly.wav" or (recording.name == "unlucky.wav" and tried(log)["unlucky.wav"] == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if recording.name == "interrupted.wav" and tried(log)["interrupted.wav"] == 1:
        raise KeyboardInterrupt
    if recording.name == "model.wav":
        raise SpotterError("the model is another here")
    return Heard(recording=recording)


def tried(log: Path) -> dict[str, int]:
    names = [line.split()[0] for line in log.read_text().splitlines()]
    return {name: names.count(name) for name in names}


def go(folder: Path, out: Path) -> Scan:
    task = Task(model="a model", digest="its digest", decoder=DecoderConfig())
    it = Scan(folder, out, task)
    it.run(partial(here.heard, partial(hear, out.parent / "log")))
    return it


def recordings(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return folder


@posix_only
def test_a_recording_that_ends_the_process_is_broken_the_second_time_and_the_scan_goes_on(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "in", "a.wav", "deadly.wav", "good.wav", "unlucky.wav", "z.wav")
    out, log = tmp_path / "found.csv", tmp_path / "log"
    again = "import pathlib, sys; from tests.test_scan_here import go; go(*map(pathlib.Path, sys.argv[1:]))"
    for _ in range(2):
        ended = subprocess.run([sys.executable, "-c", again, str(folder), str(out)], check=False)
        assert ended.returncode == -signal.SIGKILL
    done = go(folder, out)
    assert done.broken == {"deadly.wav": KILLS}
    assert tried(log) == {"a.wav": 1, "deadly.wav": 3, "good.wav": 1, "unlucky.wav": 2, "z.wav": 1}
    written = [json.loads(line) for line in (tmp_path / "found.csv.files.jsonl").read_text().splitlines()[1:]]
    assert {values["file"]: values["problem"] for values in written} == {
        "a.wav": "", "good.wav": "", "unlucky.wav": "", "z.wav": "", "deadly.wav": KILLS,
    }  # fmt: skip
    assert go(folder, out).broken == {"deadly.wav": KILLS}, "it is tried again, where it does no harm"
    assert f"deadly.wav {os.getpid()}" not in log.read_text()


def test_what_was_merely_interrupted_is_heard_as_ever(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "in", "a.wav", "interrupted.wav", "z.wav")
    out, log = tmp_path / "found.csv", tmp_path / "log"
    with pytest.raises(KeyboardInterrupt):
        go(folder, out)
    assert lines(tmp_path / "found.csv.files.jsonl") == 2
    assert go(folder, out).heard == 2
    assert {line.split()[1] for line in log.read_text().splitlines()} == {str(os.getpid())}


@posix_only
def test_what_is_wrong_with_all_ends_the_scan_also_where_another_process_finds_it(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "in", "model.wav")
    out = tmp_path / "found.csv"
    with pytest.raises(SpotterError, match="another here"):
        go(folder, out)
    with (tmp_path / "found.csv.files.jsonl").open("a") as journal:
        journal.write('{"begun": "model.wav"}\n')
    with pytest.raises(SpotterError, match="another here"):
        go(folder, out)
    assert len({line.split()[1] for line in (tmp_path / "log").read_text().splitlines()}) == 2


def test_a_real_scan_leaves_no_trace_of_what_it_is_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = archive(tmp_path / "recordings", 3), tmp_path / "found.csv"
    assert scan(folder, out) == 0
    wanted = out.read_bytes()
    journal = tmp_path / "found.csv.files.jsonl"
    written = journal.read_text().splitlines()
    assert [json.loads(line).get("file") for line in written] == [None, "a/01.wav", "b/c/00.wav", "b/c/02.wav"]
    journal.write_text("\n".join((*written[:3], '{"begun": "b/c/02.wav"}\n')))
    assert scan(folder, out) == 0
    assert "heard 1 recordings" in capsys.readouterr().err
    assert out.read_bytes() == wanted
    assert journal.read_text().splitlines() == written


@pytest.mark.skipif(sys.platform == "win32", reason="no locks that are let go of by themselves")
def test_two_scans_do_not_write_one_table(tmp_path: Path) -> None:
    with Journal(tmp_path / "found.csv.files.jsonl", {}) as first:
        with pytest.raises(BadInputError, match=r"another scan writes .* just now; wait until it has ended"):
            Journal(tmp_path / "found.csv.files.jsonl", {})
        first.add(Heard(recording=Recording("a.wav", "", 1, 2)))
    with Journal(tmp_path / "found.csv.files.jsonl", {}) as again:
        assert list(again.heard) == ["a.wav"]


def test_a_name_that_spreadsheets_would_compute_is_another_form_of_the_same_path(tmp_path: Path) -> None:
    folder = archive(tmp_path / "recordings", 1)
    recording = next(folder.glob("*/*/*.wav"))
    for name in ("=1+1", "+1", "-1", "@a", "plain"):
        (folder / f"{name}.wav").write_bytes(recording.read_bytes())
    assert scan(folder, tmp_path / "found.csv") == 0
    names = [line.split(",")[0] for line in (tmp_path / "found.csv").read_text().splitlines()[1:]]
    assert names == ["./+1.wav", "./-1.wav", "./=1+1.wav", "./@a.wav", "b/c/00.wav", "plain.wav"]
    assert all((folder / name).exists() for name in names)


def test_a_folder_that_is_closed_is_said_and_so_does_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    walk = os.walk

    def closed(root: str, **how: object) -> object:
        how["onerror"](PermissionError(13, "Permission denied", f"{root}/mine"))  # type: ignore[operator]
        return walk(root)

    monkeypatch.setattr(os, "walk", closed)
    assert scan(archive(tmp_path / "recordings", 1), tmp_path / "found.csv") == 2
    assert "/mine; check its rights" in (said := capsys.readouterr().err)
    assert "heard 1 recordings" in said
    assert "closed" in command.HELP["epilog"]
