"""Scans that cannot begin, or fail in the middle: one sentence, and what was heard is kept."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.wyoming_load import family
from spotter.scan import work
from tests.archive import archive, lines, scan
from tests.processes import LIMIT_S, ends_within, started, until

COMMAND = [sys.executable, "-m", "spotter", "scan"]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--out", "found.xls"], "let its name end in .csv"),
        (["--out", "nowhere/found.csv"], "No such file or directory"),
        (["--out", "."], "no table that can be written"),
        (["--jobs", "0"], "--jobs 0"),
        (["--jobs", "9999"], "--jobs 9999"),
        (["--hop", "33"], "multiple of 20 ms"),
        (["--channel", "0"], "no channel 0"),
        (["--threshold", "2"], "between 0 and 1"),
        (["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"], "not allowed with"),
        (["--scheduler", "here"], "is no scheduler's address"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_heard(
    options: list[str],
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert scan(archive(tmp_path / "recordings", 1), Path("found.csv"), *options) == 2
    assert hint in (said := capsys.readouterr().err)
    assert len(said.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recordings"]


def test_a_folder_that_is_none_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan(tmp_path / "nowhere", tmp_path / "found.csv") == 2
    assert "nowhere is not there" in capsys.readouterr().err
    (tmp_path / "file.wav").touch()
    assert scan(tmp_path / "file.wav", tmp_path / "found.csv") == 2
    assert "is no folder" in capsys.readouterr().err


def test_a_model_that_is_none_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan(archive(tmp_path / "recordings", 1), tmp_path / "found.csv", "--model", "nothing") == 4
    assert "nothing" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_place_for_what_was_heard_that_is_no_file_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "found.csv.files.jsonl").symlink_to("/dev/full")
    assert scan(archive(tmp_path / "recordings", 1), tmp_path / "found.csv") == 2
    assert "is no file; give another --out" in capsys.readouterr().err


def test_a_disk_that_is_full_in_the_middle_is_said_and_the_same_command_goes_on(tmp_path: Path) -> None:
    resource: Any = pytest.importorskip("resource")
    folder = archive(tmp_path / "recordings", 12)
    out = tmp_path / "found.csv"
    whole = tmp_path / "whole.csv"
    assert scan(folder, whole) == 0

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

    done = subprocess.run(
        [*COMMAND, str(folder), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    assert done.returncode == 1
    assert "found.csv.files.jsonl cannot be written (File too large); make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert 1 < lines(out) < 13, "what was heard is in the table"
    assert scan(folder, out) == 0
    assert out.read_bytes() == whole.read_bytes()


def test_a_table_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = archive(tmp_path / "recordings", 2)
    out = tmp_path / "found.csv"
    assert scan(folder, out) == 0
    wanted = out.read_bytes()

    def full(_path: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert scan(folder, out) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert out.read_bytes() == wanted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.csv", "found.csv.files.jsonl", "recordings"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link_and_the_table_is_written_where_it_leads(there: bool, tmp_path: Path) -> None:
    folder, kept = archive(tmp_path / "recordings", 1), tmp_path / "kept"
    kept.mkdir()
    out, target = tmp_path / "found.csv", kept / "table.csv"
    if there:
        target.touch()
    out.symlink_to(target)
    for _ in range(2):
        assert scan(folder, out, "--force") == 0
        assert out.is_symlink()
        assert lines(target) == 2
    assert [path.name for path in kept.iterdir()] == ["table.csv"]


def test_a_link_that_leads_to_no_folder_is_refused_before_anything_is_heard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.csv"
    out.symlink_to(tmp_path / "nowhere" / "found.csv")
    assert scan(archive(tmp_path / "recordings", 1), out) == 2
    assert "found.csv cannot be written (No such file or directory)" in capsys.readouterr().err


def test_the_table_is_on_the_disk_before_it_takes_the_place_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, int]] = []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        done.append(("on the disk", os.fstat(descriptor).st_ino))
        sync(descriptor)

    def replaced(path: Path, target: Path) -> Path:
        done.append(("in its place", path.stat().st_ino))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    out = tmp_path / "found.csv"
    assert scan(archive(tmp_path / "recordings", 1), out) == 0
    assert done == [("on the disk", out.stat().st_ino), ("in its place", out.stat().st_ino)]


def test_something_unexpected_in_one_recording_is_its_own_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = archive(tmp_path / "recordings", 2)
    really: Any = vars(work)["open_sound"]

    def open_sound(path: str) -> Any:
        if path.endswith("01.wav"):
            raise MemoryError("too much")
        return really(path)

    monkeypatch.setattr(work, "open_sound", open_sound)
    assert scan(folder, tmp_path / "found.csv") == 2
    assert "broken: 'a/01.wav': it could not be heard (MemoryError: too much)" in (said := capsys.readouterr().err)
    assert "heard 2 recordings" in said


@pytest.mark.parametrize(
    ("package", "options"), [("joblib", ["--jobs", "2"]), ("distributed", ["--scheduler", "tcp://127.0.0.1:1"])]
)
def test_a_missing_package_is_one_sentence(
    package: str,
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert scan(archive(tmp_path / "recordings", 1), tmp_path / "found.csv", *options) == 1
    assert f'needs the package {package}, which is missing; run `pip install "spotter-kws[' in capsys.readouterr().err


def test_parquet_without_its_package_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert scan(archive(tmp_path / "recordings", 1), tmp_path / "found.parquet") == 1
    assert 'pip install "spotter-kws[parquet]"' in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to some processes only")
@pytest.mark.parametrize(("jobs", "number"), [("1", signal.SIGINT), ("1", signal.SIGTERM), ("2", signal.SIGINT)])
def test_ctrl_c_ends_it_at_once_and_the_same_command_goes_on(jobs: str, number: signal.Signals, tmp_path: Path) -> None:
    folder = archive(tmp_path / "recordings", 1)
    for copy in range(1_000):
        os.link(folder / "b/c/00.wav", folder / f"{copy}.wav")
    out, journal = tmp_path / "found.csv", tmp_path / "found.csv.files.jsonl"
    command = [*COMMAND, str(folder), "--out", str(out), "--jobs", jobs]

    def end() -> float:
        out.unlink(missing_ok=True)
        journal.unlink(missing_ok=True)
        with started(command, stderr=subprocess.PIPE, start_new_session=True) as process:
            until(lambda: lines(journal) > 20)
            os.killpg(process.pid, number)  # as a terminal does, to workers too
            began = time.monotonic()
            _, said = process.communicate(timeout=LIMIT_S)
            took = time.monotonic() - began
        assert process.returncode == 0
        assert [line.split()[0] for line in ours(said).splitlines()] == ["stopped:", "heard"], said
        known = lines(journal) - 1
        assert 19 <= known < 1_001
        assert lines(out) == known + 1
        return took

    ends_within(2.0, end)


@pytest.mark.skipif(not Path("/proc/thread-self/children").exists(), reason="no /proc tells who has started whom")
@pytest.mark.parametrize("later_s", [0.0, 0.05, 0.2])
def test_ctrl_c_reaches_no_process_that_is_still_getting_ready(later_s: float, tmp_path: Path) -> None:
    folder = archive(tmp_path / "recordings", 1)
    for copy in range(1_000):
        os.link(folder / "b/c/00.wav", folder / f"{copy}.wav")
    command = [*COMMAND, str(folder), "--out", str(tmp_path / "found.csv"), "--jobs", "2"]
    with started(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        until(lambda: getting_ready(process.pid))
        time.sleep(later_s)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert [line.split()[0] for line in ours(said).splitlines()] == ["stopped:", "heard"], said


def ours(said: str) -> str:
    """Leave out what a thread of joblib's own says where it is ended while it hands something out."""
    return re.sub(r"Exception in thread ExecutorManagerThread:\n(?:.*\n)*?KeyError: \d+\n", "", said)


def getting_ready(pid: int) -> bool:
    """Whether joblib has started a process."""
    try:
        return any(b"popen_loky" in Path(f"/proc/{other}/cmdline").read_bytes() for other in family(pid)[1:])
    except OSError:  # one has ended while we looked
        return False
