"""`spotter scan FOLDER`: the keywords in all recordings of a folder, as a table."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from spotter.cli.common import Parser, guarded, interrupted_by, tell
from spotter.cli.listen import thresholds

if TYPE_CHECKING:
    from typing_extensions import Self

    from spotter.scan.rows import Task
    from spotter.scan.scanning import Hearing, Scan

_EXAMPLES: Final = """\
examples:
  spotter scan recordings                          what was found: detections.csv
  spotter scan recordings --out found.sqlite --jobs 4
  spotter scan recordings --out found.parquet --scheduler tcp://192.168.1.5:8786

The same command goes on where it was stopped, and hears only what is new or has changed since. What was wrong with a
recording, and how much of it was heard, is in OUT.files.jsonl beside the table.

exit codes: 0 done or Ctrl-C; 1 failed while running (what was heard is kept); 2 bad arguments or input, also when some
recordings are broken or folders closed (all others are in the table); 4 model unusable
"""

HELP: Final[dict[str, Any]] = {
    "help": "find keywords in a folder of recordings",
    "description": "Hears every recording of a folder, and of those in it, and writes a table of the keywords in them.",
    "epilog": _EXAMPLES,
    "formatter_class": argparse.RawDescriptionHelpFormatter,
    "allow_abbrev": False,
}
_MOST_JOBS: Final = 512
_MOST_NAMED: Final = 20
_SAY_EVERY_S: Final = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run `python -m spotter.scan …`; return the exit code."""
    parser = Parser(prog="python -m spotter.scan", **{key: HELP[key] for key in HELP if key != "help"})
    add_arguments(parser)
    return guarded(lambda: run(parser.parse_args(argv)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    parser.add_argument("folder", metavar="FOLDER", help="with recordings, or folders of them")
    parser.add_argument(
        "--out",
        default="detections.csv",
        metavar="FILE",
        help="the table: .csv, .sqlite, .db or .parquet (default: %(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="hear all anew, and write over a table that is there")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--jobs", type=int, default=1, metavar="N", help="processes of this machine (default: 1)")
    who.add_argument("--scheduler", metavar="ADDRESS", help="of dask, whose workers see FOLDER at the same path")
    parser.add_argument("--model", default="commands", metavar="NAME|FOLDER", help="default: %(default)s")
    parser.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="[WORD=]T",
        help="0..1, for every keyword or for one; may be repeated (default: your own, or the model's)",
    )
    parser.add_argument("--hop", type=float, metavar="MS", help="milliseconds between decisions (default: about 100)")
    parser.add_argument("--channel", type=int, metavar="N", help="the one channel to hear (default: the mean of all)")


def run(options: argparse.Namespace) -> int:
    """Scan; return the exit code."""
    from spotter.errors import BadInputError
    from spotter.scan.scanning import Scan

    if not 1 <= options.jobs <= _MOST_JOBS:
        raise BadInputError(f"--jobs {options.jobs} cannot be; give 1 to {_MOST_JOBS}")
    out = Path(options.out)
    task = _task(options)
    scan = Scan(Path(options.folder), out, task, anew=options.force)
    if out.exists() and not scan.journal.exists() and not options.force:
        raise BadInputError(f"{out} is there and was not begun by a scan; give another --out, or --force")
    hearing = _hearing(options, task)
    began = time.monotonic()
    try:
        with interrupted_by(_end), _Progress(scan) as progress:
            scan.run(hearing, progress.show)
    except KeyboardInterrupt:
        tell(f"stopped: {scan.before + scan.heard} of {len(scan.found.recordings)}; the same command goes on")
    finally:
        if scan.begun:
            _say(scan, time.monotonic() - began)
    return BadInputError.exit_code if scan.broken or scan.found.closed else 0


def _task(options: argparse.Namespace) -> Task:
    from spotter.model import Model
    from spotter.pipeline import hop_for
    from spotter.scan.rows import Task
    from spotter.scan.work import digest_of
    from spotter.sources import check_channel
    from spotter.user_settings import applied

    for_all, for_words = thresholds(options.threshold)
    model = Model.open(options.model)
    settings = applied(model.name, model.decoder, model.keywords, for_all, for_words)
    hop_for(model, options.hop)  # says what is wrong with it
    if options.channel is not None:
        check_channel(options.channel)
    if settings.said:
        tell(settings.said)
    folder = Path(options.model)
    return Task(
        model=str(folder.resolve()) if folder.is_dir() else options.model,
        digest=digest_of(model),
        decoder=settings.decoder,
        hop_ms=options.hop,
        channel=options.channel,
    )


def _hearing(options: argparse.Namespace, task: Task) -> Hearing:
    from functools import partial

    from spotter.scan import work

    if options.scheduler is not None:
        from spotter.scan import cluster

        cluster.check(options.scheduler)
        return lambda recordings, _: cluster.heard(options.scheduler, task, recordings)
    hear = partial(work.hear, task)
    if options.jobs == 1:
        from spotter.scan import here

        return partial(here.heard, hear)
    from spotter.scan import jobs

    jobs.check()
    return lambda recordings, _: jobs.heard(hear, recordings, options.jobs)


class _Progress:
    """How far it is, on stderr: a bar at a terminal, a line now and then elsewhere."""

    def __init__(self, scan: Scan) -> None:
        self._bar: Any = None
        self._said_s = time.monotonic()
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("scanning", total=len(scan.found.recordings))

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, scan: Scan) -> None:
        """Show it."""
        done = scan.before + scan.heard
        if self._bar:
            self._bar.update(self._task, completed=done, description=f"{scan.detections} found")
        elif time.monotonic() - self._said_s > _SAY_EVERY_S:
            self._said_s = time.monotonic()
            tell(f"scanning: {done} of {len(scan.found.recordings)}, {scan.detections} found")


def _end(_number: int, _frame: FrameType | None) -> None:
    """End the scan, so that the table is written."""
    raise KeyboardInterrupt


def _say(scan: Scan, took_s: float) -> None:
    for folder in scan.found.closed:
        tell(f"not looked into: {folder}; check its rights")
    for suffix, count in scan.found.unheard.most_common():
        tell(f"passed over: {count} {suffix} files, which cannot be read; convert them to FLAC, for example")
    _list("odd", scan.odd, scan)
    _list("broken", scan.broken, scan)
    hours = scan.seconds / 3_600
    tell(
        f"heard {scan.heard} recordings ({hours:.2f} h) in {took_s:.1f} s, {scan.before} known before, "
        f"{len(scan.broken)} broken; {scan.detections} detections in {scan.out}"
    )


def _list(what: str, problems: Mapping[str, str], scan: Scan) -> None:
    for name, problem in list(problems.items())[:_MOST_NAMED]:
        tell(f"{what}: {name!r}: {problem}")
    if len(problems) > _MOST_NAMED:
        tell(f"{what}: {len(problems) - _MOST_NAMED} more, named in {scan.journal}")
