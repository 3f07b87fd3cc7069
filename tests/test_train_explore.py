"""A folder of recordings, looked at: figures, lists of what is wrong, pictures, and a page that plays them."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("matplotlib", reason="pictures come from matplotlib, which the extra `train` brings")
from spotter.settings import UNKNOWN
from tests.conftest import word
from train import explore, explore_pictures, listening
from train.cli import main
from train.data import Row
from train.facts import Facts, measure
from train.listening import Heard
from train.splits import Splitting

ROOT = Path(__file__).parent.parent
PICTURES = ("waveforms.png", "spectrogram.png", "words.png", "histograms.png")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two words by four speakers, and one of each thing that can be wrong."""
    root = tmp_path_factory.mktemp("explore") / "my <words>"
    for name, hz in (("yes", 900), ("no", 2_500)):
        (root / name).mkdir(parents=True)
        for number in range(12):
            who = ("alice", "bob", "carol", "dave")[number % 4]
            soundfile.write(root / name / f"{who}-{number}.wav", word(hz + number), 16_000)
    same = (root / "yes" / "alice-0.wav").read_bytes()
    (root / "yes" / "alice-50.wav").write_bytes(same)
    (root / "yes" / "bob-50.wav").write_bytes((root / "yes" / "bob-1.wav").read_bytes())
    (root / "no" / "alice-51.wav").write_bytes(same)
    soundfile.write(root / "no" / "bob-51.wav", word(700) * 1e-3, 16_000, subtype="FLOAT")
    soundfile.write(root / "no" / "bob-52.wav", np.random.default_rng(0).standard_normal(16_000) * 0.05, 16_000)
    soundfile.write(root / "no" / "bob-53.wav", np.clip(word(710) * 9, -1, 1), 44_100)
    soundfile.write(root / "no" / "bob-54.wav", np.resize(word(720), 64_000), 16_000)
    (root / "no" / "carol<b>-9.wav").write_text("no sound")
    (root / "no" / "dave-9.m4a").touch()
    return root


@pytest.fixture(scope="module")
def looked(words: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "page"
    assert main(["explore", str(words), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def told(looked: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((looked / "explore.json").read_text("utf-8"))
    return loaded


def test_it_counts_per_word_speaker_and_side(told: dict[str, Any]) -> None:
    assert (told["recordings"], told["words"], told["speakers"]) == (31, 2, 4)
    yes = told["per_word"]["yes"]
    assert (yes["recordings"], yes["speakers"]) == (14, 4)
    assert yes["training"] + yes["validation"] == 14
    assert told["split"]["by"] == {"prefix": 32}
    assert told["sample_rates"] == {"16000": 30, "44100": 1}


def test_it_names_what_is_wrong(told: dict[str, Any]) -> None:
    assert {u["path"] for u in told["unusable"]} == {"no/carol<b>-9.wav", "no/dave-9.m4a"}
    assert [c["path"] for c in told["silent"]] == ["no/bob-51.wav"]
    assert [c["path"] for c in told["buried"]] == ["no/bob-52.wav"]
    assert [c["path"] for c in told["clipped"]] == ["no/bob-53.wav"]
    assert [c["path"] for c in told["long"]] == ["no/bob-54.wav"]
    assert [sorted(g) for g in told["two_words"]] == [["no/alice-51.wav", "yes/alice-0.wav", "yes/alice-50.wav"]]
    assert [sorted(g) for g in told["twice"]] == [["yes/bob-1.wav", "yes/bob-50.wav"]]


def test_it_says_what_it_did(told: dict[str, Any]) -> None:
    assert "train explore" in told["command"]
    assert {"spotter", "numpy", "matplotlib"} <= told["versions"].keys()
    assert re.fullmatch(r"[0-9a-f]{64}", told["sha256"])


def test_every_recording_has_a_line(looked: Path) -> None:
    with (looked / "clips.tsv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(lines) == 33
    row = next(line for line in lines if line["path"] == "no/bob-53.wav")
    assert (row["speaker"], row["sample_rate"]) == ("bob", "44100")
    assert int(row["clipped_samples"]) > 100


def test_the_pictures_are_there(looked: Path) -> None:
    for name in PICTURES:
        assert (looked / name).read_bytes().startswith(b"\x89PNG")


class Page(HTMLParser):
    """Collects what a page loads and shows, and whether its elements are closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.sources += [v for k in ("src", "srcset") if (v := values.get(k))]
        self.links += [v for v in (values.get("href"),) if v]
        self.ids += [v for v in (values.get("id"),) if v]


@pytest.fixture(scope="module")
def page(looked: Path) -> Page:
    made = Page()
    made.feed((looked / "index.html").read_text("utf-8"))
    return made


def test_the_page_needs_nothing_but_its_folder(page: Page, looked: Path) -> None:
    assert {"script", "link"}.isdisjoint(page.tags)
    for source in page.sources:
        assert source.startswith("data:image/png") or (looked / source).is_file()
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)


def test_every_audio_on_the_page_plays(page: Page, looked: Path) -> None:
    audio = [s for s in page.sources if s.startswith("audio/")]
    assert len(audio) > 10
    assert {soundfile.info(looked / s).format for s in audio} == {"WAV"}


def test_names_cannot_write_into_the_page(page: Page, looked: Path) -> None:
    text = (looked / "index.html").read_text("utf-8")
    assert "carol&lt;b&gt;" in text
    assert "<words>" not in text
    assert "b" not in {t for t in page.tags if t == "words"}


def test_the_same_seed_shows_the_same_recordings(words: Path, looked: Path, tmp_path: Path) -> None:
    assert main(["explore", str(words), "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "index.html").read_bytes() == (looked / "index.html").read_bytes()
    assert main(["explore", str(words), "--out", str(tmp_path / "again"), "--seed", "3", "--force"]) == 0
    assert (tmp_path / "again" / "waveforms.png").read_bytes() != (looked / "waveforms.png").read_bytes()


def test_an_existing_folder_is_refused_without_force_and_a_foreign_one_always(
    words: Path, looked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explore", str(words), "--out", str(looked)]) == 2
    assert "--force" in capsys.readouterr().err
    (tmp_path / "precious.txt").touch()
    assert main(["explore", str(words), "--out", str(tmp_path), "--force"]) == 2
    assert (tmp_path / "precious.txt").exists()


def test_nothing_that_can_be_used_is_an_error_that_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data" / "yes").mkdir(parents=True)
    (tmp_path / "data" / "yes" / "a.wav").write_text("x")
    assert main(["explore", str(tmp_path / "data"), "--out", str(tmp_path / "o")]) == 2
    assert "none of the 1 recordings" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_one_recording_is_enough_to_look_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data" / "yes").mkdir(parents=True)
    soundfile.write(tmp_path / "data" / "yes" / "a.wav", word(900)[:4_000], 16_000)
    assert main(["explore", str(tmp_path / "data"), "--out", str(tmp_path / "o")]) == 0
    told = capsys.readouterr()
    assert "There is one word only" in told.out
    assert "WARNING" in told.err


def test_recordings_that_a_model_hears_otherwise_come_first(
    words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hear(model: str, rows: list[Row]) -> list[Heard]:
        right = Heard("yes", 0.9, 0.1, wrong=False)
        return [
            Heard("no", 0.8, 2.0 + n, wrong=True) if r.path.name == "dave-3.wav" else right for n, r in enumerate(rows)
        ]

    monkeypatch.setattr(listening, "hear_all", hear)
    assert main(["explore", str(words), "--out", str(tmp_path / "o"), "--model", "commands"]) == 0
    told = json.loads((tmp_path / "o" / "explore.json").read_text())
    assert [s["path"] for s in told["suspicious"]] == ["yes/dave-3.wav", "no/dave-3.wav"]
    assert told["per_word"]["yes"]["heard_right"] == 13
    assert "heard: no 0.80, loss" in (tmp_path / "o" / "index.html").read_text("utf-8")


def test_the_models_own_loss_is_that_of_the_label(words: Path) -> None:
    rows = [Row(words / "yes" / "alice-0.wav", w, "a", "training") for w in ("yes", "zebra")]
    yes, zebra = listening.hear_all("commands", rows)
    assert yes.label == zebra.label
    assert yes.wrong == (yes.label != "yes")
    assert zebra.wrong == (zebra.label != UNKNOWN)
    assert (yes.loss > zebra.loss) == (yes.label == UNKNOWN) or yes.label not in ("yes", UNKNOWN)


def test_an_unknown_model_is_refused_before_the_long_part(
    words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explore", str(words), "--out", str(tmp_path / "o"), "--model", "nowhere"]) == 4
    assert "looking at" not in capsys.readouterr().err


def test_a_folder_without_fault_is_praised() -> None:
    rows = [
        Row(Path(f"{w}/{n}.wav"), w, str(n), "validation" if n < 3 else "training") for w in "ab" for n in range(30)
    ]
    facts = [measure(word(300 + 10 * n), 16_000) for n in range(60)]
    assert explore.remarks(explore.survey(rows, facts, None, Splitting(speakers=30))) == []


def test_recordings_shorter_than_a_frame_can_be_drawn(tmp_path: Path) -> None:
    short = np.ones(10, np.float32)
    assert explore_pictures.thumbnail(short).startswith(b"\x89PNG")
    explore_pictures.waveform_and_spectrograms("x", short, tmp_path / "s.png")
    explore_pictures.spectrogram_per_word([("x", short)], tmp_path / "w.png")
    assert explore_pictures.outline(short) == [(1.0, 1.0)] * 10
    assert explore_pictures.outline(short[:0]) == []


def test_silence_is_not_blown_up_to_full_height() -> None:
    assert max(high for _, high in explore_pictures.outline(np.full(16_000, 1e-4, np.float32))) < 0.01


def test_figures_of_facts_survive_trouble() -> None:
    rows = [Row(Path("a/1.wav"), "a", "1", "training"), Row(Path("a/2.wav"), "a", "2", "training")]
    found = explore.survey(rows, [measure(word(300), 16_000), Facts(trouble="why")], None, Splitting())
    assert (len(found.clips), len(found.unusable)) == (1, 1)


INTERRUPTED = """
import os, time
from train.cli import main
from train.workers import each

def job(number):
    os.write(1, b"begun\\n")  # in one piece: two processes may write at once
    time.sleep(0.5)

if __name__ == "__main__":
    try:
        list(each(job, range(1_000), what="jobs"))
    except KeyboardInterrupt:
        print("ended")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Linux and macOS")
def test_ctrl_c_ends_many_processes_soon_and_quietly(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(INTERRUPTED)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "work.py"], cwd=tmp_path, env=env, stderr=pipe, stdout=pipe, text=True, start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        out, err = running.communicate(timeout=60)
    assert "Traceback" not in err
    assert out.endswith("ended\n")
    assert out.count("begun") < 500
