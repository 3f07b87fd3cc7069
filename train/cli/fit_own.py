"""`fit` for few recordings of each word: a small head on a frozen backbone; no TensorFlow, no further recordings."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotter.backbone import Backbone
    from spotter.model import Model
    from spotter.voice import Voice
    from train.own.bank import Bank
    from train.own.fit_words import Fitted
    from train.own.recordings import OwnRecordings

_SHOWN_LEFT_OUT = 5


def add_own_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what there is for few recordings."""
    group = parser.add_argument_group("few recordings of each word (to about 200): a head on a backbone")
    group.add_argument("--way", choices=("auto", "head", "network"), default="auto", help="auto: by how many there are")
    group.add_argument("--backbone", default="auto", help="frozen embedding (default: the best there is)")
    group.add_argument("--background", type=Path, help="bank of background (default: the one that comes along)")
    group.add_argument(
        "--negatives", type=Path, nargs="+", default=[], help="recordings without the words, such as of your room"
    )
    group.add_argument("--target-fa", type=float, default=0.5, help="false accepts an hour, of each word (0.5)")
    group.add_argument("--extend", metavar="MODEL", help="hear its words, too, such as those of commands")
    group.add_argument("--update", action="store_true", help="replace an existing model if the new one is no worse")
    group.add_argument("--only-my-voice", action="store_true", help="let other people's voices pass less often")
    group.add_argument("--say", nargs="+", metavar="PHRASE", help="let synthetic voices say them into DATA first")
    group.add_argument("--voices", type=Path, help="folder of further voices for --say: package/voices of kokoro-js")


def wants_head(args: argparse.Namespace) -> bool:
    """Whether the recordings are so few that a head is the way; says which way is taken, and why."""
    from train.own.recordings import FEW, counts, word_folders

    if args.way == "network" or args.dataset or args.recipe or args.distribute:
        return False
    if args.way == "head" or args.say:
        return True
    data = Path(args.data)
    found = counts(data, args.keywords or word_folders(data))
    most = max(found.values(), default=0)
    if not found or most > FEW:
        print(f"up to {most} recordings of a word: training a network (--way head fits a head)", file=sys.stderr)
        return False
    return True


def run_own(args: argparse.Namespace) -> int:
    """Read, fit, write, report."""
    from spotter.backbone import open_backbone
    from spotter.model import Model
    from train.own.bank import read_bank
    from train.own.fit_words import fit_words
    from train.own.recordings import background, own_recordings, sounds, word_folders
    from train.own.save import check_extends
    from train.own.update import heard_by, no_worse

    began = time.monotonic()
    extend = Model.open(args.extend) if args.extend else None
    synthetic = _say(args) if args.say else []
    data = Path(args.data)
    words = args.keywords or word_folders(data)
    if not words:
        raise BadInputError(f"there is no folder of a word in {data}; record one: python -m train record WORD")
    if extend is not None:
        check_extends(extend, words)
    backbone = open_backbone(args.backbone)
    bank = read_bank(args.background or _bank_of(backbone), backbone=backbone.name, sha256=backbone.sha256)
    recordings = own_recordings(data, words)
    told = ", ".join(f"{word} {len(clips)}" for word, clips in recordings.words.items())
    print(f"recordings: {told}; a head on {backbone.name} (--way network trains one)", file=sys.stderr)
    _say_left_out(recordings)
    voice, of_voice = _voice(recordings, backbone) if args.only_my_voice else (None, {})
    negatives = background(data, args.negatives, from_text=bool(synthetic))
    fitted = fit_words(
        recordings.words,
        backbone,
        bank,
        negatives=negatives,
        noise=sounds(args.noise),
        target_fa_per_hour=args.target_fa,
        seed=args.seed or 0,
        progress=_progress(),
    )
    old = Model.open(args.out) if args.update and args.out.exists() else None
    before = heard_by(old, recordings.words, negatives) if old else None
    with tempfile.TemporaryDirectory(dir=_beside(args.out), prefix=f".{args.out.name}-") as scratch:
        model = _write(args, Path(scratch) / args.out.name, fitted, backbone, bank, extend, synthetic, voice, of_voice)
        if before is not None:
            now = heard_by(model, recordings.words, negatives)
            print(f"the new model: {now}; the old one: {before}")
            if not no_worse(now, before):
                print(f"{args.out} stays as it is: the new model is worse (--force replaces it all the same)")
                return 0
        _take_place(model.folder, args.out, Path(scratch) / "old")
    _tell(args, fitted, Model.open(args.out), synthetic, time.monotonic() - began)
    return 0


def _take_place(new: Path, place: Path, aside: Path) -> None:
    """Put a folder where another may be; that one is back if it cannot be done."""
    if not place.exists():
        new.rename(place)
        return
    place.rename(aside)
    try:
        new.rename(place)
    except OSError:
        aside.rename(place)
        raise


def _beside(out: Path) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    return out.parent


def _voice(recordings: OwnRecordings, backbone: Backbone) -> tuple[Voice, dict[str, Any]]:
    from train.own.shipped import voices_of
    from train.own.voice import enrol, read_voices

    clips = [clip for clips in recordings.words.values() for clip in clips]
    voice, report = enrol(clips, read_voices(voices_of(backbone.name)), backbone.frontend)
    own, others = report["own"], report["others"]
    limits = f"{own['low']:.0%}-{own['high']:.0%}"
    print(f"only your voice: each judged by the others, {own['passed']} of {own['of']} recordings pass ({limits}),")
    print(f"  and {others['passed'] / others['of']:.0%} of {others['of']} other people's voices")
    return voice, report


def _write(
    args: argparse.Namespace,
    folder: Path,
    fitted: Fitted,
    backbone: Backbone,
    bank: Bank,
    extend: Model | None,
    synthetic: Sequence[str],
    voice: Voice | None,
    of_voice: dict[str, Any],
) -> Model:
    from train.own.report import card
    from train.own.save import DECODER, save_words
    from train.written import typed

    training: dict[str, Any] = {
        "command": typed(),
        "words": {word: dict(report) for word, report in fitted.words.items()},
        "background": {"hours": round(bank.hours(), 2), "about": dict(bank.about)},
        "synthetic": list(synthetic),
        "voice": of_voice,
        "seed": args.seed or 0,
    }
    hours = bank.hours("speech", "noise", "music")
    text = card(args.out.name, fitted.words, backbone=backbone.name, bank_hours=hours, synthetic=synthetic)
    return save_words(
        folder,
        fitted,
        backbone,
        decoder=DECODER,
        training=training,
        card=text,
        extend=extend,
        voice=voice,
    )


def _tell(args: argparse.Namespace, fitted: Fitted, model: Model, synthetic: Sequence[str], seconds: float) -> None:
    from train.own.report import lines

    print("\n".join(lines(fitted.words)))
    if synthetic:
        print(f"no human voice has been tested for {', '.join(synthetic)}: record yourself, and fit again")
    size = sum(entry["bytes"] for entry in model.manifest["files"].values())
    print(f"{args.out}: {', '.join(model.keywords)}; {size / 1_024:.0f} KiB, {seconds:.0f} s")
    print(f"listening takes {_cost(model):.1%} of one core here, as fast as audio can be read")
    print(f"next: spotter listen --model {args.out}")


def _cost(model: Model, seconds: int = 20) -> float:
    """CPU seconds for a second of audio."""
    import numpy as np

    from spotter.settings import SAMPLE_RATE
    from train.own.trial import detections

    noise = np.random.default_rng(0).normal(0.0, 0.05, seconds * SAMPLE_RATE).astype(np.float32)
    detections(model, noise[:SAMPLE_RATE])  # opens the network
    began = time.process_time()
    detections(model, noise)
    return (time.process_time() - began) / seconds


def _say_left_out(recordings: OwnRecordings) -> None:
    for sentence in recordings.left_out[:_SHOWN_LEFT_OUT]:
        print(f"train: left out: {sentence}", file=sys.stderr)
    if (more := len(recordings.left_out) - _SHOWN_LEFT_OUT) > 0:
        print(f"train: and {more} more files", file=sys.stderr)


def _bank_of(backbone: Backbone) -> Path:
    from train.own.shipped import bank_of

    return bank_of(backbone.name)


def _say(args: argparse.Namespace) -> list[str]:
    from train.say.make import say_for_fit

    return say_for_fit(args.say, Path(args.data), voices=args.voices, seed=args.seed or 0)


def _progress() -> Callable[[str, int, int], None]:
    last = [time.monotonic()]

    def say(what: str, done: int, of: int) -> None:
        now = time.monotonic()
        line = sys.stderr.isatty()
        if done == of or now - last[0] > (0.2 if line else 20.0):
            last[0] = now
            begin, end = ("\r", "") if line and done < of else ("\r" if line else "", "\n")
            print(f"{begin}{what}: {done} of {of}", end=end, file=sys.stderr, flush=True)

    return say
