"""`spotter scan`: a folder to a table, broken recordings listed, and stopped scans that go on."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from spotter.cli import scan as command
from spotter.cli.listen import DEMO
from spotter.recorded import spot
from tests.archive import WORDS, add_broken, archive, scan
from tests.fakes import Terminal


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_word_of_every_recording_is_in_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = archive(tmp_path / "recordings")
    out = tmp_path / "found.csv"
    assert scan(folder, out) == 0
    rows = table(out)
    assert list(rows[0]) == ["file", "keyword", "score", "time", "start", "end"]
    names = sorted(f"{'a' if number % 2 else 'b/c'}/{number:02}.wav" for number in range(6))
    assert [(row["file"], row["keyword"]) for row in rows] == [(name, WORDS[int(name[-6:-4])]) for name in names]
    samples, rate = soundfile.read(folder / "a/01.wav", dtype="float32")
    alone = spot(samples, rate)[0].as_dict()
    assert {key: float(rows[0][key]) for key in ("score", "time", "start", "end")} == {
        key: alone[key] for key in ("score", "time", "start", "end")
    }
    assert "heard 6 recordings (0.00 h)" in capsys.readouterr().err


def test_csv_sqlite_and_parquet_hold_the_same(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = archive(tmp_path / "recordings", 3)
    add_broken(folder)
    for kind in ("csv", "sqlite", "parquet"):
        assert scan(folder, tmp_path / f"found.{kind}") == 2
    rows = [tuple(row.values()) for row in table(tmp_path / "found.csv")]
    base = sqlite3.connect(tmp_path / "found.sqlite")
    found = base.execute('SELECT file, keyword, score, time, "start", "end" FROM detections').fetchall()
    assert [tuple(map(str, row)) for row in found] == rows
    files = dict(base.execute("SELECT file, problem FROM files").fetchall())
    base.close()
    assert len(files) == 8
    assert files["a/01.wav"] == ""
    assert "no audio file" in files["text.wav"]
    columns = parquet.read_table(tmp_path / "found.parquet").to_pylist()
    assert [tuple(map(str, row.values())) for row in columns] == rows


def test_broken_recordings_are_listed_and_skipped_and_the_exit_code_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = archive(tmp_path / "recordings", 2)
    broken = add_broken(folder)
    out = tmp_path / "found.csv"
    for turn in range(2):
        assert scan(folder, out) == 2
        said = capsys.readouterr().err
        for name, problem in broken.items():
            line = next(line for line in said.splitlines() if f"broken: '{name}'" in line)
            assert problem in line
        assert f"heard {7 - 2 * turn} recordings" in said
        assert f"{2 * turn} known before, 5 broken" in said
        assert "Traceback" not in said
    words = {name: [row["keyword"] for row in table(out) if row["file"] == name] for name in ("half.flac", "nan.wav")}
    assert words == {"half.flac": ["yes", "no", "up"], "nan.wav": ["yes", "no"]}, "what came before the damage counts"


def test_a_recording_that_is_shorter_than_its_header_says_is_odd_and_not_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = archive(tmp_path / "recordings", 1)
    whole = (folder / "b/c/00.wav").read_bytes()
    (folder / "b/c/00.wav").write_bytes(whole[: len(whole) // 2])
    assert scan(folder, tmp_path / "found.csv") == 0
    assert "odd: 'b/c/00.wav'" in (said := capsys.readouterr().err)
    assert "shorter than its header says" in said


def test_only_what_is_new_or_has_changed_is_heard_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = archive(tmp_path / "recordings", 4)
    out = tmp_path / "found.csv"
    assert scan(folder, out) == 0
    samples, rate = soundfile.read(DEMO, dtype="float32")
    soundfile.write(folder / "new.wav", samples[: 3 * rate], rate)
    soundfile.write(folder / "a/01.wav", samples[: 3 * rate], rate)
    (folder / "a/03.wav").unlink()
    capsys.readouterr()
    assert scan(folder, out) == 0
    assert "heard 2 recordings" in (said := capsys.readouterr().err)
    assert "2 known before" in said
    words = {row["file"]: row["keyword"] for row in table(out)}
    assert words == {"a/01.wav": "yes", "a/03.wav": "down", "b/c/00.wav": "yes", "b/c/02.wav": "up", "new.wav": "yes"}


def test_a_scan_that_was_killed_while_it_wrote_loses_at_most_that_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = archive(tmp_path / "recordings")
    out, journal = tmp_path / "found.csv", tmp_path / "found.csv.files.jsonl"
    assert scan(folder, out) == 0
    wanted = out.read_bytes()
    written = journal.read_bytes()
    for cut in (len(written) - 5, len(written) // 2, len(written.split(b"\n")[0]) // 2, 0):
        journal.write_bytes(written[:cut])
        out.unlink()
        assert scan(folder, out) == 0
        assert out.read_bytes() == wanted
        assert journal.read_bytes() == written
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines() if "heard" in line] == list("61566")


def test_other_settings_do_not_go_on_with_what_was_heard_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = archive(tmp_path / "recordings", 1)
    out = tmp_path / "found.csv"
    assert scan(folder, out) == 0
    wanted = out.read_bytes()
    capsys.readouterr()
    assert scan(folder, out, "--threshold", "0.5") == 2
    (said,) = capsys.readouterr().err.splitlines()  # nothing of what it would have done
    assert said.endswith("give another --out, or --force")
    assert out.read_bytes() == wanted
    assert scan(folder, out, "--threshold", "0.9999", "--force") == 0
    assert table(out) == []


def test_a_table_of_somebody_else_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = archive(tmp_path / "recordings", 1)
    out = tmp_path / "mine.csv"
    out.write_text("mine")
    assert scan(folder, out) == 2
    assert out.read_text() == "mine"
    assert scan(folder, out, "--force") == 0
    assert "was not begun by a scan" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="such files are not everywhere")
def test_names_of_any_kind_come_through(tmp_path: Path) -> None:
    folder = archive(tmp_path / "recordings", 1)
    names = [b'a "b", c\n.wav', "größe 語.wav".encode(), b"\xff\xfe.wav"]
    for name in names:
        os.link(folder / "b/c/00.wav", os.path.join(os.fsencode(folder), name))  # noqa: PTH118  bytes
    for kind in ("csv", "sqlite"):
        assert scan(folder, tmp_path / f"found.{kind}") == 0
    wanted = {'a "b", c\n.wav', "größe 語.wav", r"\udcff\udcfe.wav", "b/c/00.wav"}
    assert {row["file"] for row in table(tmp_path / "found.csv")} == wanted


@pytest.mark.skipif(sys.platform != "linux", reason="such files are not everywhere")
def test_what_is_no_recording_is_passed_over_and_what_cannot_be_read_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = archive(tmp_path / "recordings", 1)
    for name in ("notes.txt", "._a.wav", "b/c/00.json", "song.m4a", "talk.M4A"):
        (folder / name).write_bytes(b"x")
    (folder / ".hidden").mkdir()
    (folder / ".hidden/a.wav").write_bytes(b"x")
    os.mkfifo(folder / "pipe.wav")
    assert scan(folder, tmp_path / "found.csv") == 0
    assert "heard 1 recordings" in (said := capsys.readouterr().err)
    assert "passed over: 2 .m4a files" in said


def test_a_folder_without_recordings_gives_an_empty_table(tmp_path: Path) -> None:
    for kind in ("csv", "db", "parquet"):
        assert scan(tmp_path, tmp_path / f"found.{kind}") == 0
    assert table(tmp_path / "found.csv") == []


def test_progress_is_a_bar_at_a_terminal_and_lines_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = archive(tmp_path / "recordings", 3)
    monkeypatch.setattr(command, "_SAY_EVERY_S", 0.0)
    assert scan(folder, tmp_path / "found.csv") == 0
    assert "scanning: 2 of 3, 2 found" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert scan(folder, tmp_path / "other.csv") == 0
    assert "100%" in terminal.getvalue()
    assert "scanning:" not in terminal.getvalue()


def test_python_m_does_the_same(tmp_path: Path) -> None:
    folder = archive(tmp_path / "recordings", 1)
    done = subprocess.run(
        [sys.executable, "-m", "spotter.scan", str(folder)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert table(tmp_path / "detections.csv")[0]["keyword"] == "yes"
    about = json.loads((tmp_path / "detections.csv.files.jsonl").read_text().splitlines()[1])
    assert (about["file"], about["seconds"], about["problem"]) == ("b/c/00.wav", 2.0, "")
