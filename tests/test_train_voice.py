"""Only my voice, and how few recordings do: both from the command line, on voices that are made up."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("scipy", reason="a head is fitted with scipy")
import scipy.signal

from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.frontend import Frontend
from spotter.settings import SPEECH_EMBEDDING
from spotter.voice import CEPSTRA, Voice, features, pack_voice, project, read_voice
from train.cli import main
from train.own.clips import Clip
from train.own.voice import enrol, read_voices
from train.speakers import discriminants, equal_error

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("pyopen_wakeword") is None, reason="pyopen-wakeword is not installed (no wheel here)"
)


def said(speaker: int, take: int) -> Floats:
    """A word by a made-up speaker: bursts of noise through resonances that are the speaker's own."""
    own, rng = np.random.default_rng(speaker), np.random.default_rng([speaker, take])
    samples = rng.normal(0, 0.05, 12_000) * (np.sin(np.arange(12_000) / 12_000 * np.pi * 3) ** 2)
    for hz in own.uniform(200, 3_400, 4):
        b, a = scipy.signal.iirpeak(hz, 6.0, fs=16_000)
        samples = samples + 3 * scipy.signal.lfilter(b, a, samples)
    out = rng.normal(0, 1e-4, 16_000)
    out[2_000:14_000] += samples / np.abs(samples).max() * 0.3
    return out.astype(np.float32)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    for word in ("one", "two"):
        (folder / word).mkdir()
        for speaker in range(90):
            for take in range(3):
                name = f"{speaker:08x}_nohash_{take}.wav"
                soundfile.write(folder / word / name, said(speaker, take + 3 * (word == "two")), 16_000)
    return folder


@pytest.fixture(scope="module")
def voices(words: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("voices") / "voices.npz"
    if importlib.util.find_spec("pyopen_wakeword") is not None:
        assert main(["voices", str(words), "--out", str(out)]) == 0
    return out


def clips(speaker: int, count: int = 8) -> list[Clip]:
    return [Clip(said(speaker, 100 + n), "day") for n in range(count)]


def test_features_are_of_loud_frames_and_do_not_depend_on_level() -> None:
    frontend = Frontend(SPEECH_EMBEDDING)
    one, softer = (features(frontend(said(1, 0) * gain), SPEECH_EMBEDDING) for gain in (1.0, 0.25))
    assert one.shape == (2 * CEPSTRA,)
    np.testing.assert_allclose(one, softer, atol=0.1)
    assert np.abs(one - features(frontend(said(2, 0)), SPEECH_EMBEDDING)).max() > 0.3
    assert not features(frontend(np.zeros(1_500, np.float32)), SPEECH_EMBEDDING).any()  # too little to tell by


@needs_package
def test_the_owner_passes_and_most_others_do_not(voices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = read_voices(voices)
    voice, report = enrol(clips(1_000), known, SPEECH_EMBEDDING, missed=0.2)
    assert report["own"]["of"] == 8
    assert report["own"]["passed"] >= 6
    assert report["others"]["passed"] < 0.3 * report["others"]["of"]
    again = read_voice(pack_voice(voice))
    frontend = Frontend(SPEECH_EMBEDDING)
    mine = [again.passes(frontend(said(1_000, 200 + n)), SPEECH_EMBEDDING) for n in range(10)]
    others = [again.passes(frontend(said(2_000 + n, 0)), SPEECH_EMBEDDING) for n in range(20)]
    assert sum(mine) >= 6
    assert sum(others) <= 7
    with pytest.raises(BadInputError, match="4 recordings are too few to know a voice by"):
        enrol(clips(1, 4), known, SPEECH_EMBEDDING)


@needs_package
def test_voices_are_not_replaced_and_few_speakers_are_refused(
    words: Path, voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["voices", str(words), "--out", str(voices)]) == 2
    assert "exists; give another name, or --force" in capsys.readouterr().err
    (tmp_path / "few" / "one").mkdir(parents=True)
    for take in range(3):
        soundfile.write(tmp_path / "few" / "one" / f"00000001_nohash_{take}.wav", said(1, take), 16_000)
    assert main(["voices", str(tmp_path / "few"), "--out", str(tmp_path / "v.npz")]) == 2
    assert "speakers in" in capsys.readouterr().err
    with pytest.raises(BadInputError, match="there are no voices"):
        read_voices(tmp_path / "v.npz")
    (tmp_path / "v.npz").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is no file of voices"):
        read_voices(tmp_path / "v.npz")


@pytest.mark.parametrize("spoilt", ["center", "basis", "owner", "threshold"])
def test_a_spoilt_voice_is_refused(spoilt: str) -> None:
    good: dict[str, Any] = {"center": np.zeros(40), "basis": np.ones((40, 3)), "owner": np.ones(3), "threshold": 0.5}
    voice = Voice(**{**good, spoilt: good[spoilt] * np.nan})
    with pytest.raises(ModelError, match="fit the model again"):
        read_voice(pack_voice(voice))
    with pytest.raises(ModelError, match="fit the model again"):
        read_voice(b"nothing")


def test_discriminants_find_the_direction_in_which_speakers_differ() -> None:
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(40), 6)
    found = rng.normal(0, 1, (240, 5))
    found[:, 1] *= 50  # varies most, and says nothing
    found[:, 3] += 4 * rng.normal(0, 1, 40)[speakers]
    center, basis = discriminants(found, [str(s) for s in speakers], 1)
    weights = np.abs(basis[:, 0]) * found.std(0)
    assert weights.argmax() == 3
    assert project(found, center, basis).shape == (240, 1)


def test_the_equal_error_rate_by_hand() -> None:
    error, threshold = equal_error(np.array([0.4, 0.8, 0.9, 1.0]), np.array([0.0, 0.1, 0.2, 0.5]))
    assert error == pytest.approx(0.25)  # one of four on either side
    assert 0.4 < threshold <= 0.8


@needs_package
def test_a_trial_fits_to_some_and_listens_to_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.test_train_fit_own import DEMO, record
    from train.own.bank import read_bank, write_bank
    from train.own.shipped import bank_of

    for number in range(16):
        record(tmp_path / "data", "stop", f"p{number}_nohash_0", 0.9 + 0.0125 * number)
    for speaker in range(20):  # some of them on the validation side
        (tmp_path / "speech" / f"s{speaker}").mkdir(parents=True)
        soundfile.write(tmp_path / "speech" / f"s{speaker}" / "a.wav", DEMO[12 * 16_000 : 16 * 16_000], 16_000)
        (tmp_path / "noise").mkdir(exist_ok=True)
        noise = np.random.default_rng(speaker).normal(0, 0.05, 48_000)
        soundfile.write(tmp_path / "noise" / f"n{speaker}.wav", noise, 16_000)
    whole = read_bank(bank_of("google-speech-embedding"))
    kept = np.arange(len(whole.length)) % 12 == 0
    rows = np.repeat(kept, whole.length)
    parts = {name: getattr(whole, name)[kept] for name in ("length", "kind", "fold")}
    from dataclasses import replace

    write_bank(tmp_path / "bank.npz", replace(whole, embeddings=whole.embeddings[rows], **parts))
    step = ["trial", "data", "--speech", "speech", "--noise", "noise", "--counts", "6", "--background", "bank.npz"]
    step = [str(tmp_path / s) if s in ("data", "speech", "noise", "bank.npz") else s for s in step]
    assert main([*step, "--out", str(tmp_path / "trial.json")]) == 0
    told = capsys.readouterr().out
    (trial,) = json.loads((tmp_path / "trial.json").read_text())["trials"]
    assert (trial["phrase"], trial["recordings"], trial["heard"]) == ("stop", 6, 10)
    assert trial["missed"] <= 2
    assert trial["false_accepts"] == 0
    assert "| stop | 6 | " in told
    assert "| all | 6 | " in told
