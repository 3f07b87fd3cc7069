"""Learn what tells speakers apart, from words by many people, for `fit --only-my-voice`.

DATA holds WORD/SPEAKER_nohash_N files whose names say who spoke, as Speech Commands has them. The training
speakers teach; of the validation speakers it prints how well five recordings of one know another of the same
one, and how many others pass. The names of the speakers are not kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spotter.arrays import Floats
    from spotter.settings import FrontendConfig

EXAMPLE = """example:
  python -m train voices data/words --out runs/voices.npz"""

_FEWEST, _MOST, _MOST_JUDGED = 3, 6, 12  # recordings of a speaker
_DIRECTIONS = 24
_ENROLLED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with one folder of recordings per word")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--backbone", default="auto", help="whose front-end hears the voices")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run(args: argparse.Namespace) -> int:
    """Hear, learn, judge, write."""
    if args.out.exists() and not args.force:
        raise BadInputError(f"{args.out} exists; give another name, or --force to replace it")
    import numpy as np

    from spotter.backbone import open_backbone
    from spotter.voice import project
    from train.data import word_rows
    from train.own.voice import write_voices
    from train.speakers import discriminants, equal_error

    config = open_backbone(args.backbone).frontend
    rng = np.random.default_rng(args.seed)
    rows = word_rows(args.data)
    heard: dict[str, tuple[Floats, list[str]]] = {}
    for split, most in (("training", _MOST), ("validation", _MOST_JUDGED)):
        of: dict[str, list[Path]] = {}
        for row in rows:
            if row.split == split:
                of.setdefault(row.speaker, []).append(row.path)
        paths: list[Path] = []
        names: list[str] = []
        for speaker, its in of.items():
            if len(its) >= _FEWEST:
                drawn = [its[n] for n in rng.permutation(len(its))[:most]]
                paths += drawn
                names += [speaker] * len(drawn)
        if len(set(names)) < 2 * _DIRECTIONS and split == "training":
            raise BadInputError(f"{len(set(names))} speakers in {args.data} are too few; give words by many people")
        heard[split] = _features(paths, config, f"voices for {split}"), names
    found, speakers = heard["training"]
    center, basis = discriminants(found.astype(np.float64), speakers, _DIRECTIONS)
    others = np.stack([_unit(v) for v in _means(project(found, center, basis), speakers)])
    write_voices(args.out, center, basis, others)
    same, other = _judge(project(heard["validation"][0], center, basis), heard["validation"][1], rng)
    if len(same) and len(other):
        error, _ = equal_error(same, other)
        passing = float((other >= np.quantile(same, 0.05)).mean())
        judged = len(set(heard["validation"][1]))
        print(f"{len(set(speakers))} speakers; judged on {judged} others, by one word after {_ENROLLED}:")
        print(f"equal error rate {error:.1%}; where 5% of the own words are refused, {passing:.1%} of others' pass")
    print(args.out)
    return 0


def _features(paths: Sequence[Path], config: FrontendConfig, what: str) -> Any:
    import numpy as np

    from train.own.voice import features_of
    from train.workers import each

    jobs = [(paths[at : at + 500], config) for at in range(0, len(paths), 500)]
    return np.concatenate(list(each(features_of, jobs, what=what))) if jobs else np.empty((0, 40), np.float32)


def _means(vectors: Any, speakers: Sequence[str]) -> list[Any]:
    import numpy as np

    names = np.asarray(speakers)
    return [vectors[names == name].mean(axis=0) for name in sorted(set(speakers))]


def _unit(vector: Any) -> Any:
    import numpy as np

    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _judge(vectors: Any, speakers: Sequence[str], rng: Any) -> tuple[Any, Any]:
    """Cosines of the same speaker, and of others, to the mean of a few recordings."""
    import numpy as np

    names = np.asarray(speakers)
    same, other = [], []
    for name in sorted(set(speakers)):
        mine = np.flatnonzero(names == name)
        if len(mine) <= _ENROLLED:
            continue
        enrolled = rng.choice(mine, _ENROLLED, replace=False)
        owner = _unit(vectors[enrolled].mean(axis=0))
        same.append(vectors[np.setdiff1d(mine, enrolled)] @ owner)
        other.append(vectors[rng.choice(np.flatnonzero(names != name), 50)] @ owner)
    return (np.concatenate(same), np.concatenate(other)) if same else (np.empty(0), np.empty(0))
