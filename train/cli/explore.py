"""Look at a folder of recordings before training: counts, levels, what is wrong, pictures, and a page to listen to.

DATA holds one folder of recordings per word. The page OUT/index.html plays the recordings beside
their pictures and needs no network; OUT/explore.json holds the figures, OUT/clips.tsv a line per recording.
With --model a trained model hears every recording, and those that it is surest are something else come first.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError
from train.cli.data_arguments import add_data_arguments, data_folder

if TYPE_CHECKING:
    from train.explore import Clip, Survey

EXAMPLE = """example:
  python -m train explore data/words --model commands
  python -m train explore --dataset mini_speech_commands --out runs/explore-mini"""

_MARK = "explore.json"
_GRID = 9  # waveforms in the first picture
_CLEAR_DB = 15.0  # recordings that are shown as examples stand out so far
_LONGEST_SHOWN_S = 4.0


_COLUMNS = (
    *("path", "word", "speaker", "split", "seconds", "sample_rate", "channels", "peak_dbfs", "level_dbfs"),
    *("loudest_dbfs", "floor_dbfs", "clipped_samples", "sha256", "heard", "score", "loss", "trouble"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    add_data_arguments(parser)
    parser.add_argument("--out", type=Path, help="folder to write (default: runs/explore-NAME of DATA)")
    parser.add_argument("--model", metavar="MODEL", help="model folder, or name of a shipped one, that hears them all")
    parser.add_argument(
        "--examples", type=int, default=24, metavar="N", help="recordings shown in each list (default: 24)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the recordings that are drawn as examples (default: 0)")
    parser.add_argument("--force", action="store_true", help="replace an earlier exploration")


def run(args: argparse.Namespace) -> int:
    """Look at every file, then write pictures, tables and the page."""
    folder = data_folder(args)
    name = folder.resolve().name
    out = args.out or Path("runs") / f"explore-{name}"
    _may_write(out, force=args.force)
    from spotter.model import Model

    if args.model:
        Model.open(args.model)  # whether it can be opened is known before the long part
    began = time.monotonic()
    found = _survey(folder, args.model)
    if not found.clips:
        reasons = "; ".join(f"{c.name}: {c.facts.trouble}" for c in found.unusable[:3])
        raise BadInputError(f"none of the {len(found.unusable)} recordings in {folder} can be used ({reasons})")
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    made = f"python -m train explore {folder}" + (f" --model {args.model}" if args.model else "")
    try:
        _write(part, name, found, args, f"{made} --seed {args.seed}", began)
        shutil.rmtree(out, ignore_errors=True)
        part.replace(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _tell(found, out)
    return 0


def _may_write(out: Path, *, force: bool) -> None:
    if not out.exists():
        return
    if not (out / _MARK).is_file():
        raise BadInputError(f"{out} exists and is no earlier exploration; give another --out")
    if not force:
        raise BadInputError(f"{out} exists; give another --out, or --force to replace it")


def _survey(folder: Path, model: str | None) -> Survey:
    from train.data import Row, foreign_files, words
    from train.explore import survey
    from train.facts import Facts, all_facts
    from train.problems import foreign

    given = words(folder)
    facts = all_facts([r.path for r in given.rows])
    heard = None
    if model:
        from train.listening import hear_all

        heard = hear_all(model, [r for r, f in zip(given.rows, facts, strict=True) if not f.trouble])
    others = foreign(foreign_files(folder))
    rows = given.rows + [Row(p.path, p.path.relative_to(folder).parts[0], "", "training") for p in others]
    return survey(rows, facts + [Facts(trouble=p.why) for p in others], heard, given.splitting)


def _write(out: Path, name: str, found: Survey, args: argparse.Namespace, made: str, began: float) -> None:
    import matplotlib as mpl
    import numpy as np

    import spotter
    from train import explore_pictures as pictures
    from train.explore import summary
    from train.explore_page import page
    from train.written import write_json, write_text

    rng = np.random.default_rng(args.seed)
    per_word, grid = _examples(found.clips, rng)
    audio = _Audio(out)
    pictures.waveforms([(c.row.word, audio(c)[1]) for c in grid], out / "waveforms.png")
    pictures.waveform_and_spectrograms(grid[0].row.word, audio(grid[0])[1], out / "spectrogram.png")
    pictures.spectrogram_per_word([(c.row.word, audio(c)[1]) for c in per_word], out / "words.png")
    pictures.histograms([c.facts for c in found.clips], found.per_word, out / "histograms.png")
    versions = {"spotter": spotter.__version__, "numpy": np.__version__, "matplotlib": mpl.__version__}
    told = f"{made} · " + ", ".join(f"{k} {v}" for k, v in versions.items()) + f" · {time.strftime('%Y-%m-%d')}"
    write_text(out / "index.html", page(name, found, per_word, grid, audio, most=args.examples, made_by=told))
    write_text(out / "clips.tsv", _table(found))
    seconds = round(time.monotonic() - began, 1)
    write_json(out / _MARK, {"command": made, "versions": versions, "seconds": seconds, **summary(found)})


def _examples(clips: Sequence[Clip], rng: Any) -> tuple[list[Clip], list[Clip]]:
    """One recording of each word, drawn among the clear ones, and those of the grid of waveforms."""
    by_word: dict[str, list[Clip]] = {}
    for clip in clips:
        by_word.setdefault(clip.row.word, []).append(clip)
    drawn = []
    for word in sorted(by_word):
        mine = by_word[word]
        clear = [c for c in mine if c.facts.stands_out_db >= _CLEAR_DB and not (c.heard and c.heard.wrong)] or mine
        drawn.append(clear[int(rng.integers(len(clear)))])
    more = [clips[i] for i in rng.permutation(len(clips))[: max(0, _GRID - len(drawn))]]
    chosen = sorted(rng.permutation(len(drawn))[:_GRID])
    return drawn, [drawn[i] for i in chosen] + more


class _Audio:
    """Copies of the recordings that the page plays: 16 kHz WAV, which every browser knows."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._done: dict[Path, tuple[str, Any]] = {}

    def __call__(self, clip: Clip) -> tuple[str, Any]:
        import soundfile

        from spotter.settings import SAMPLE_RATE
        from train.bank import read

        path = clip.row.path
        if path not in self._done:
            samples = read(path)[: int(_LONGEST_SHOWN_S * SAMPLE_RATE)]
            source = f"audio/{len(self._done):04d}.wav"
            wav = io.BytesIO()  # the library's own writing to a full disk does not say that it is full
            soundfile.write(wav, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
            (self._out / "audio").mkdir(exist_ok=True)
            (self._out / source).write_bytes(wav.getvalue())
            self._done[path] = source, samples
        return self._done[path]


def _table(found: Survey) -> str:
    lines = ["\t".join(_COLUMNS)]
    for clip in [*found.clips, *found.unusable]:
        row, facts, heard = clip.row, clip.facts, clip.heard
        measured = [getattr(facts, c) for c in _COLUMNS[4:13]]
        cells = [clip.name, row.word, row.speaker, row.split, *measured]
        cells += [heard.label, heard.score, heard.loss] if heard else ["", "", ""]
        lines.append("\t".join(_cell(c) for c in [*cells, facts.trouble]))
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else " ".join(str(value).split())


def _tell(found: Survey, out: Path) -> None:
    from train.explore import remarks

    speakers = "" if found.splitting.warning else f" by {len({c.row.speaker for c in found.clips}):,} speakers"
    print(f"{len(found.clips):,} recordings of {len(found.per_word)} words{speakers}")
    for _, sentence in remarks(found):
        print(f"- {sentence}")
    if found.splitting.warning:
        print(found.splitting.warning, file=sys.stderr)
    print(f"open {out / 'index.html'}")
