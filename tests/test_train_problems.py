"""Bad files are listed and passed over, too little is an error, and what goes wrong outside is a sentence."""

from __future__ import annotations

import errno
import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spotter.errors import BadInputError
from tests.conftest import word
from train import facts, problems
from train.cli.trouble import sentence
from train.data import Row
from train.facts import Facts, facts_of
from train.problems import Problem

ROOT = Path(__file__).parent.parent


def rows(count: int, word_: str = "yes", split: str = "training") -> list[Row]:
    return [Row(Path(f"{word_}/{n}.wav"), word_, str(n), split) for n in range(count)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bad") / "yes"
    root.mkdir()
    soundfile.write(root / "good.wav", word(900), 16_000)
    soundfile.write(root / "stereo.flac", np.stack([word(900)] * 2, axis=1), 44_100)
    (root / "text.wav").write_text("no sound at all")
    (root / "empty.wav").touch()
    soundfile.write(root / "header.wav", np.zeros(0), 16_000)
    soundfile.write(root / "nan.wav", np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT")
    soundfile.write(root / "zeros.wav", np.zeros(16_000), 16_000)
    soundfile.write(root / "short.wav", word(900)[:500], 16_000)
    soundfile.write(root / "long.flac", np.resize(word(900), 16_000 * 601), 16_000)
    (root / "nothing.wav").symlink_to(root / "gone.wav")
    return root


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("text.wav", "cannot be read"),
        ("empty.wav", "empty"),
        ("header.wav", "no samples"),
        ("nan.wav", "no numbers"),
        ("zeros.wav", "nothing but zeros"),
        ("short.wav", r"0\.031 s long, too short"),
        ("long.flac", "601 s long, too long for one word; cut it"),
        ("nothing.wav", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(bad: Path, name: str, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        assert not facts_of(bad / name).trouble, facts_of(bad / name).trouble


def test_other_rates_and_channels_are_no_trouble(bad: Path) -> None:
    found = facts_of(bad / "stereo.flac")
    assert (found.trouble, found.sample_rate, found.channels) == ("", 44_100, 2)


def test_bad_files_are_listed_once_and_passed_over(bad: Path, tmp_path: Path) -> None:
    every = [Row(p, "yes", p.stem, "training") for p in sorted(bad.iterdir()) if p.exists()]
    kept, wrong = problems.usable(every, tmp_path)
    assert [r.path.name for r in kept] == ["good.wav", "stereo.flac"]
    assert len(wrong) == 7
    out = io.StringIO()
    problems.tell(wrong, out)
    assert out.getvalue().startswith("7 files are passed over:\n")
    assert "zeros.wav: it holds nothing but zeros" in out.getvalue()


def test_files_are_read_once_until_they_change(bad: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "copy.wav"
    copy.write_bytes((bad / "good.wav").read_bytes())
    row = [Row(copy, "yes", "a", "training")]
    assert problems.usable(row, tmp_path / "cache")[1] == []

    def none(*args: object, **kwargs: object) -> list[Facts]:
        pytest.fail("read again")

    with monkeypatch.context() as patch:
        patch.setattr(problems, "all_facts", none)
        problems.usable(row, tmp_path / "cache")
    copy.write_text("spoilt")
    assert len(problems.usable(row, tmp_path / "cache")[1]) == 1


def test_long_lists_are_cut_on_the_terminal() -> None:
    out = io.StringIO()
    problems.tell([Problem(Path(f"{n}.wav"), "why") for n in range(50)], out)
    assert len(out.getvalue().splitlines()) == 22
    assert "30 more" in out.getvalue()


def test_formats_that_cannot_be_read_come_with_the_command_that_converts_them() -> None:
    assert "ffmpeg -i a.m4a a.wav" in problems.foreign([Path("yes/a.m4a")])[0].why


def test_too_few_recordings_of_a_keyword_say_how_many_there_are_and_how_many_are_needed() -> None:
    few = rows(7) + rows(2, split="validation") + rows(30, "no")
    with pytest.raises(BadInputError, match=r"7 training clips of 'yes'.*9 recordings.*1 more cannot.*at least 20"):
        problems.enough(few, ("yes",), [Problem(Path("yes/x.wav"), "why", "yes")])
    problems.enough(rows(20) + rows(1, "no"), ("yes",))


def test_a_keyword_without_a_folder_names_those_there_are() -> None:
    with pytest.raises(BadInputError, match=r"keyword 'maybe' \(found: no, yes\)"):
        problems.enough(rows(30) + rows(30, "no"), ("maybe",))


def test_one_word_alone_is_not_enough_unless_something_else_teaches_what_to_leave_alone() -> None:
    with pytest.raises(BadInputError, match="a keyword and something else are needed"):
        problems.enough(rows(30), ("yes",))
    problems.enough(rows(30), ("yes",), others=True)


def test_a_keyword_that_cannot_be_validated_is_named() -> None:
    known = rows(30) + rows(3, split="validation") + rows(30, "no")
    assert problems.not_validated(known, ("yes",)) == ""
    assert "validation recordings of no" in problems.not_validated(known, ("yes", "no"))


# -- what is measured ----------------------------------------------------------------------------


def test_levels_are_those_of_the_sound() -> None:
    found = facts.measure(word(900), 16_000)
    assert found.peak_dbfs == pytest.approx(20 * np.log10(0.3), abs=0.2)
    assert found.loudest_dbfs == pytest.approx(20 * np.log10(0.3 / np.sqrt(2)), abs=0.2)
    assert found.floor_dbfs == pytest.approx(-60.0, abs=1.0)
    assert found.clipped_samples == 0


def test_clipping_is_a_flat_top_not_a_single_full_sample() -> None:
    flat = np.clip(word(900) * 10, -1.0, 1.0)
    assert facts.measure(flat, 16_000).clipped_samples > 1_000
    single = word(900)
    single[8_000] = 1.0
    assert facts.measure(single, 16_000).clipped_samples == 0


def test_the_hash_is_of_the_sound_not_of_the_file(tmp_path: Path) -> None:
    for name in ("a.wav", "b.flac"):
        soundfile.write(tmp_path / name, (word(900) * 32_767).astype(np.int16), 16_000)
    soundfile.write(tmp_path / "c.wav", (word(901) * 32_767).astype(np.int16), 16_000)
    a, b, c = (facts_of(tmp_path / n).sha256 for n in ("a.wav", "b.flac", "c.wav"))
    assert a == b != c


def test_many_files_come_back_in_their_order_from_several_processes(bad: Path) -> None:
    paths = [bad / "good.wav", bad / "empty.wav"] * 150
    found = facts.all_facts(paths)
    assert [bool(f.trouble) for f in found] == [False, True] * 150


# -- what goes wrong outside ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "runs/features/frames.npy"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError("3920 requested and 0 written"),  # numpy
        OSError("Can't write data (file write failed: errno = 28, error message = 'No space left on device')"),  # HDF5
        RuntimeError("RESOURCE_EXHAUSTED: runs/x; No space left on device"),  # TensorFlow
    ],
)
def test_a_full_disk_is_a_sentence_whoever_found_it(error: Exception) -> None:
    assert "free some and run the same command again" in (sentence(error) or "")
    outer = ValueError("while saving")
    outer.__cause__ = error
    assert "no space left" in (sentence(outer) or "")


def test_the_name_of_the_file_is_said_where_it_is_known() -> None:
    assert "frames.npy" in (sentence(OSError(errno.ENOSPC, "full", "runs/frames.npy")) or "")


def test_our_own_mistakes_stay_tracebacks() -> None:
    assert sentence(ValueError("shapes do not agree")) is None
    assert sentence(FileNotFoundError(errno.ENOENT, "not there", "x")) is None
    assert sentence(ModuleNotFoundError("no module", name="train.oops")) is None


def test_a_missing_library_comes_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ModuleNotFoundError("No module named 'tensorflow.keras'", name="tensorflow.keras")
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    assert "pip install 'spotter-kws[train]'" in (sentence(error) or "")
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    assert "Python 3.13" in (sentence(error) or "")


def test_a_file_that_may_not_be_written_is_a_sentence() -> None:
    assert "change its rights" in (sentence(PermissionError(errno.EACCES, "Permission denied", "models/x")) or "")
