"""What a listener hears is saved without disturbing it, marked right or wrong, and goes back into the data."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import spotter.clip_files
from spotter.arrays import Floats
from spotter.cli.listen import main as listen
from spotter.clip_files import save, write_new
from spotter.errors import BadInputError
from spotter.events import Detection, Gap
from spotter.listener import Listener
from spotter.model import Model
from spotter.recorded import spot
from spotter.saving import AFTER_S, BEFORE_S, Saver
from spotter.sources.memory import Samples
from tests.fakes import TALK, WORDS, LiveSystem, Pushed, ScriptedModel, recording
from train.cli import main
from train.data import word_rows
from train.recording.reviewing import NEGATIVES, TABLE, Clip, Review, clips, read, understand, waveform, word_in

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "spotter" / "data"
TRUTH = json.loads((DEMO / "demo.json").read_text("utf-8"))["words"]
RATE = 16_000


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "open", lambda *_, **__: ScriptedModel())


def about(path: Path) -> dict[str, object]:
    values = json.loads(path.with_suffix(".json").read_bytes())
    assert isinstance(values, dict)
    return values


# Saving


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the demo recording leaves behind."""
    folder = tmp_path_factory.mktemp("saved") / "clips"
    assert listen(["--input", str(DEMO / "demo.flac"), "--save", str(folder)]) == 0
    return folder


def test_the_clips_of_the_demo_hold_the_words(heard: Path) -> None:
    model = Model.open("commands")
    found = sorted(clips(heard), key=lambda clip: float(clip.about["time"]))
    assert [clip.keyword for clip in found] == [word["word"] for word in TRUTH]
    for clip, word in zip(found, TRUTH, strict=True):
        info = soundfile.info(clip.path)
        assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
        assert info.duration == pytest.approx(BEFORE_S + AFTER_S, abs=0.7)
        begin = float(clip.about["clip_start"])
        assert begin < word["start"] < word["end"] < begin + info.duration
        assert word["word"] in [d.keyword for d in spot(read(clip), RATE, model)]
        assert clip.path.name.startswith(f"{clip.keyword}_demo-")
        assert f"{clip.about['score']:.2f}" in clip.path.name
        assert clip.about["model"]["name"] == "commands"
        assert set(clip.about["model"]["files"]) >= {"model.tflite"}


def test_saving_changes_nothing_of_what_is_heard(
    heard: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    demo = str(DEMO / "demo.flac")
    assert listen(["--input", demo, "--json"]) == 0
    plain = capsys.readouterr()
    assert listen(["--input", demo, "--json", "--save", str(tmp_path), "--explain"]) == 0
    saving = capsys.readouterr()
    detections = [line for line in saving.out.splitlines() if json.loads(line)["type"] == "detection"]
    assert detections == plain.out.splitlines()
    assert "saved 10 clips" in saving.err
    assert len(list(tmp_path.glob("*.wav"))) == len(list(heard.glob("*.wav"))) == 10


@pytest.mark.usefixtures("scripted")
def test_of_a_microphone_clips_are_saved_with_the_time_of_day(
    live: LiveSystem, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listen(["--json", "--save", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert [json.loads(line)["keyword"] for line in captured.out.splitlines() if "keyword" in line] == ["yes", "no"]
    assert "gaps: 1 (0.50 s)" in captured.err
    files = sorted(tmp_path.glob("*.wav"))
    assert [about(p)["keyword"] for p in files] == ["no", "yes"]
    for path in files:
        assert "T" in path.name
        assert path.name.split("_")[1].endswith("Z")
        assert str(about(path)["wall"]).startswith("20")
        begin = round(float(str(about(path)["clip_start"])) * RATE)
        samples = soundfile.read(path, dtype="float32")[0]
        assert np.abs(samples - TALK[begin : begin + len(samples)]).max() < 1e-4


def test_a_live_stream_passes_on_what_came_gaps_included(tmp_path: Path) -> None:
    source = Pushed()
    model = ScriptedModel()
    listener = Listener(model, source=source)
    saver = Saver(tmp_path, model, source)
    listener.tape, listener.explain = saver, saver.see
    events: list[Detection | Gap] = []
    listener.on_any(events.append)
    listener.on_gap(events.append)
    listener.start()
    source.push(TALK)
    source.lose(8_000)
    source.push(recording((1.5, "yes"), seconds=3.0))
    listener.stop()
    saver.end()
    expected = spot_live(model)
    assert [type(e).__name__ for e in events] == [type(e).__name__ for e in expected]
    assert [e.time for e in events] == [e.time for e in expected]
    files = {str(about(p)["time"]): p for p in tmp_path.glob("*.wav")}
    assert len(files) == 3
    last = max(tmp_path.glob("*.wav"), key=lambda p: float(str(about(p)["time"])))
    assert float(str(about(last)["clip_start"])) >= len(TALK) / RATE  # nothing is bridged over the gap
    assert source.closed == 1


def spot_live(model: ScriptedModel) -> list[Detection | Gap]:
    """What the same stream gives when nobody overhears it."""
    source = Pushed()
    listener = Listener(model, source=source)
    events: list[Detection | Gap] = []
    listener.on_any(events.append)
    listener.on_gap(events.append)
    listener.start()
    source.push(TALK)
    source.lose(8_000)
    source.push(recording((1.5, "yes"), seconds=3.0))
    listener.stop()
    return events


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_clips_are_at_16_khz_whatever_the_source_has(tmp_path: Path, rate: int) -> None:
    talk = recording(*WORDS, seconds=4.5, sample_rate=rate)
    model = ScriptedModel()
    source = Samples(np.stack((talk, talk), axis=1), rate, name="talk")
    listener = Listener(model, source=source)
    saver = Saver(tmp_path, model, source)
    listener.tape, listener.explain = saver, saver.see
    listener.run()
    saver.end()
    files = sorted(tmp_path.glob("*.wav"))
    assert saver.saved == len(files) == 2
    for path in files:
        assert soundfile.info(path).samplerate == RATE
        assert [d.keyword for d in spot(soundfile.read(path, dtype="float32")[0], RATE, model)][-1] == about(path)[
            "keyword"
        ]


@pytest.mark.usefixtures("scripted")
def test_a_full_disk_is_said_once_and_listening_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spotter.clip_files, "write_new", full)
    soundfile.write(tmp_path / "talk.wav", TALK, RATE)
    assert listen(["--input", str(tmp_path / "talk.wav"), "--save", str(tmp_path / "clips")]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert sum("listening goes on" in line for line in captured.err.splitlines()) == 1
    assert list((tmp_path / "clips").iterdir()) == []


@pytest.mark.usefixtures("scripted")
def test_a_folder_that_cannot_be_made_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert listen(["--input", str(DEMO / "demo.flac"), "--save", str(tmp_path / "file" / "clips")]) == 2
    assert "cannot be made" in capsys.readouterr().err


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    first = save(tmp_path, "yes", TALK, {"n": 1})
    second = save(tmp_path, "yes", TALK, {"n": 2})
    (tmp_path / "yes-3.wav").write_bytes(b"mine")
    third = save(tmp_path, "yes", TALK, {"n": 3})
    assert [p.name for p in (first, second, third)] == ["yes.wav", "yes-2.wav", "yes-4.wav"]
    assert about(first) == {"n": 1}
    assert about(third) == {"n": 3}
    assert not (tmp_path / "yes-3.json").exists()
    with pytest.raises(FileExistsError):
        write_new(first, b"other")
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json"] * 3 + [".wav"] * 4


def test_without_save_nothing_of_it_is_loaded() -> None:
    code = "import sys; from spotter.cli.listen import main; "
    code += f"main(['--input', {str(DEMO / 'demo.flac')!r}]); print('spotter.saving' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


# Reviewing


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Five clips: three of "yes", two of "no"."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number, keyword in enumerate(("yes", "yes", "yes", "no", "no")):
        samples = recording((1.2 + 0.05 * number, keyword), seconds=2.5)
        values = {
            "keyword": keyword,
            "score": 0.9,
            "time": 12.0 + number,
            "clip_start": 10.0 + number,
            "wall": "2026-03-04T09:30:00.000+00:00",
            "model": {"name": "tiny", "keywords": ["yes", "no"]},
        }
        save(folder, f"{keyword}_{number}", samples, values)
    return folder


@pytest.fixture
def review(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """Answer from a pipe; return what was printed."""

    def answer(lines: str) -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        assert main(["review", str(saved), "--out", str(tmp_path / "data")]) == 0
        return capsys.readouterr().out

    return answer


def tree(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*.wav"))


def test_right_clips_go_to_their_word_and_wrong_ones_to_the_negatives(
    review: Callable[[str], str], tmp_path: Path, saved: Path
) -> None:
    out = review("y\nn\ny\nno\nlamp\n")  # no, no, yes, yes, yes
    assert "2 right, 1 wrong, 2 word; all answered" in out
    assert "lamp is no word of the model or the data" in out
    assert tree(tmp_path / "data") == [
        f"{NEGATIVES}/no_4.wav",
        f"{NEGATIVES}/yes_2.wav",
        "no/heard-20260304_nohash_0.wav",
        "no/heard-20260304_nohash_1.wav",
        "yes/heard-20260304_nohash_0.wav",
    ]
    cut, _ = soundfile.read(tmp_path / "data" / "no" / "heard-20260304_nohash_0.wav")
    assert len(cut) / RATE == pytest.approx(0.9, abs=0.05)  # the word and 0.2 s on both sides
    whole, _ = soundfile.read(tmp_path / "data" / NEGATIVES / "no_4.wav")
    assert len(whole) / RATE == 2.5
    assert {row.word for row in word_rows(tmp_path / "data")} == {"yes", "no"}  # folders with "_" are no words
    table = (saved / TABLE).read_text("utf-8").splitlines()
    assert table[0] == "clip\tanswer\tword\tput"
    assert [line.split("\t")[1] for line in table[1:]] == ["right", "wrong", "right", "word", "word"]


def test_answers_are_remembered_and_nothing_is_put_twice(
    review: Callable[[str], str], tmp_path: Path, saved: Path
) -> None:
    assert "1 right, 1 skip; 4 left" in review("y\ns\nq\n")
    before = tree(tmp_path / "data")
    out = review("")
    assert "1 answered before, 4 to go" in out
    assert "nothing answered; 4 left" in out
    assert tree(tmp_path / "data") == before
    assert "all answered" in review("n\nn\nn\nn\n")
    (saved / TABLE).unlink()
    review("y\nn\nn\nn\nn\n")  # answered the same way again
    assert len(tree(tmp_path / "data")) == 5


def test_what_is_in_the_data_is_never_written_over(review: Callable[[str], str], tmp_path: Path) -> None:
    for name in (f"{NEGATIVES}/no_3.wav", "no/heard-20260304_nohash_0.wav"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    review("n\ny\n")
    data = tmp_path / "data"
    assert (
        (data / NEGATIVES / "no_3.wav").read_bytes()
        == (data / "no/heard-20260304_nohash_0.wav").read_bytes()
        == b"mine"
    )
    assert tree(data) == [
        f"{NEGATIVES}/no_3-2.wav",
        f"{NEGATIVES}/no_3.wav",
        "no/heard-20260304_nohash_0.wav",
        "no/heard-20260304_nohash_1.wav",
    ]


def test_each_clip_is_drawn(review: Callable[[str], str]) -> None:
    out = review("q\n")
    drawing = out.splitlines()[2].strip()
    assert len(drawing) > 40
    assert drawing.index("█") > len(drawing) // 3
    samples = recording((1.0, "yes"), seconds=2.0)
    assert set(waveform(samples, plain_text=True)) <= set(" .:-=+*#")


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("y", ("right", "")),
        (" N ", ("wrong", "")),
        ("", ("skip", "")),
        ("s", ("skip", "")),
        ("q", ("end", "")),
        ("yes", ("word", "yes")),
        ("no", ("wrong", "")),
        ("Hey Robot", ("word", "hey_robot")),
    ],
)
def test_yes_and_no_are_words_where_the_model_knows_them(tmp_path: Path, typed: str, answer: tuple[str, str]) -> None:
    clip = Clip(tmp_path / "a.wav", {"keyword": "yes", "model": {"keywords": ["yes"]}})
    assert understand(typed, clip, tmp_path) == answer


def test_a_clip_of_which_nothing_is_known_takes_its_word_from_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "x.wav", recording((1.2, "yes"), seconds=2.5), RATE)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n_bad\nLamp\n"))
    assert main(["review", str(tmp_path), "--out", str(tmp_path / "data")]) == 0
    out = capsys.readouterr().out
    assert "type the word" in out
    assert "no folder can be called so" in out
    assert tree(tmp_path / "data") == ["lamp/heard-clips_nohash_0.wav"]


def test_the_word_is_cut_out_where_it_was_decided_and_not_what_was_said_before() -> None:
    samples = recording((0.2, "no"), (1.3, "yes"), seconds=2.5)
    begin, end = word_in(samples, 2.0)
    assert begin / RATE == pytest.approx(1.1, abs=0.05)
    assert end / RATE == pytest.approx(2.0, abs=0.05)
    nothing: Floats = np.random.default_rng(0).standard_normal(40_000).astype(np.float32) * np.float32(0.1)
    begin, end = word_in(nothing, 2.0)
    assert (begin, end) == (round(0.6 * RATE), round(2.1 * RATE))


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_no_clips_end_with_2_and_one_sentence(tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["review", str(tmp_path / what), "--out", str(tmp_path / "data")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "spotter listen --save" in line


def test_a_damaged_clip_is_passed_over(review: Callable[[str], str], saved: Path) -> None:
    (saved / "no_3.wav").write_bytes(b"RIFF")
    assert "1 right, " in review("y\nq\n").replace("1 skip, 1 right", "1 right, 1 skip")


def test_a_table_of_which_nothing_can_be_read_is_begun_anew(saved: Path, tmp_path: Path) -> None:
    (saved / TABLE).write_text("nonsense\n", "utf-8")
    assert Review(saved, tmp_path).answered == {}


def test_an_answer_without_a_word_needs_one(saved: Path, tmp_path: Path) -> None:
    clip = Clip(saved / "no_3.wav", {})
    with pytest.raises(BadInputError, match="type the word"):
        Review(saved, tmp_path / "data").answer(clip, read(clip), "right")
