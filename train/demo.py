"""The demonstration recording: synthetic speakers say the keywords, with pauses, in a quiet room.

    python -m train.demo package/voices spotter/data

writes `demo.flac` and `demo.json`, the truth: which word lies where. `train/synthesis.py` says how to
get the voices; one thread makes the recording in about ten seconds.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spotter.settings import SAMPLE_RATE
from train.synthesis import Kokoro

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spotter.arrays import Floats

ROOM_DBFS: Final = -65.0
SENTENCE: Final = "It is a beautiful morning for a picnic by the river."


@dataclass(frozen=True, slots=True)
class Line:
    """Who says what, how fast, how loud, and how long the pause before it is."""

    text: str
    voice: str
    speed: float
    dbfs: float  # root mean square of the spoken part
    pause_s: float


SCRIPT: Final = (
    Line("yes", "af_heart", 1.0, -22.0, 1.5),
    Line("no", "am_michael", 1.0, -24.0, 1.8),
    Line("up!", "af_alloy", 1.0, -20.0, 1.5),
    Line("down", "am_fenrir", 0.9, -26.0, 1.3),
    Line("left", "af_bella", 1.0, -23.0, 2.0),
    Line(SENTENCE, "bm_george", 1.0, -25.0, 1.8),
    Line("right", "am_puck", 1.0, -21.0, 2.2),
    Line("go", "bm_fable", 1.1, -28.0, 1.4),
    Line("stop", "af_sarah", 1.0, -19.0, 1.7),
    Line("no", "bm_lewis", 0.95, -27.0, 1.9),
    Line("yes", "bf_emma", 1.0, -23.0, 1.3),
)
TAIL_S: Final = 1.5


def spoken(samples: Floats, below_db: float = 35.0) -> slice:
    """Where the speech lies: from the first to the last 10 ms within `below_db` of the loudest."""
    step = SAMPLE_RATE // 100
    levels = np.square(samples[: len(samples) // step * step]).reshape(-1, step).mean(1)
    loud = np.flatnonzero(levels > levels.max() * 10.0 ** (-below_db / 10.0))
    return slice(int(loud[0]) * step, int(loud[-1] + 1) * step)


def pink(samples: int, rng: np.random.Generator) -> Floats:
    """Noise whose power falls by 3 dB an octave, root mean square 1, shape (samples,)."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20.0 * samples / SAMPLE_RATE))  # flat below 20 Hz
    noise = np.fft.irfft(spectrum, samples)
    return np.asarray(noise / np.sqrt(np.mean(np.square(noise))), np.float32)


def compose(takes: Sequence[tuple[Line, Floats]], rng: np.random.Generator) -> tuple[Floats, list[dict[str, Any]]]:
    """Lay the takes one after another into the room; also return every word and where it lies, in seconds."""
    pieces: list[Floats] = []
    words: list[dict[str, Any]] = []
    at = 0
    for line, take in takes:
        speech = spoken(take)
        louder = take * np.float32(10.0 ** (line.dbfs / 20.0) / np.sqrt(np.mean(np.square(take[speech]))))
        start = at + round(line.pause_s * SAMPLE_RATE)
        pieces += [np.zeros(start - at - speech.start, np.float32), louder[: speech.stop]]
        at = start + speech.stop - speech.start
        if " " not in line.text:
            word = line.text.rstrip("!")
            words.append({"word": word, "start": round(start / SAMPLE_RATE, 3), "end": round(at / SAMPLE_RATE, 3)})
    pieces.append(np.zeros(round(TAIL_S * SAMPLE_RATE), np.float32))
    audio = np.concatenate(pieces)
    return audio + np.float32(10.0 ** (ROOM_DBFS / 20.0)) * pink(len(audio), rng), words


def main(arguments: Sequence[str] | None = None) -> None:
    """Write demo.flac and demo.json."""
    import soundfile

    parser = argparse.ArgumentParser(
        prog="python -m train.demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("voices", type=Path, help="folder of the voices: package/voices of kokoro-js")
    parser.add_argument("out", type=Path, help="folder that gets demo.flac and demo.json")
    options = parser.parse_args(arguments)
    kokoro = Kokoro(options.voices)
    takes = [(line, kokoro.say(line.text, kokoro.style(line.voice), line.speed)) for line in SCRIPT]
    audio, words = compose(takes, np.random.default_rng(0))
    options.out.mkdir(parents=True, exist_ok=True)
    soundfile.write(options.out / "demo.flac", audio, SAMPLE_RATE, "PCM_16", compression_level=1.0)
    lines = ",\n".join(f"  {json.dumps(word)}" for word in words)
    truth = f'{{"seconds": {len(audio) / SAMPLE_RATE:.3f}, "words": [\n{lines}\n]}}\n'
    (options.out / "demo.json").write_text(truth, encoding="utf-8")


if __name__ == "__main__":
    main()
