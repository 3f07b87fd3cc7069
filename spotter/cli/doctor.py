"""`spotter doctor`: what works here, what does not, and what to do about it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from spotter.cli.common import Parser, guarded, leave, version, writing
from spotter.cli.doctor_report import Report

if TYPE_CHECKING:
    from spotter.model import Model
    from spotter.sources import LiveSource

_TAKE_S: Final = 2.0
_LEAD_S: Final = 0.3  # a device's first moments are often a click, or silence
_LATE_MS: Final = 250.0  # of jitter; the ring takes 8 s, but answers come as late as this

_EXAMPLES: Final = """\
examples:
  spotter doctor                        everything, with two seconds of the default microphone
  spotter doctor --device usb           of another one
  spotter doctor --input talk.wav       examine a recording instead
  spotter doctor --json > report.json   for a bug report

exit codes: 0 nothing is wrong (warnings may be); 1 the self-test fails; 2 bad arguments or input;
3 no usable microphone, or nothing but a constant value from it; 4 model unusable
"""

HELP: Final[dict[str, Any]] = {
    "help": "check this machine: model, arithmetic, microphone",
    "description": "Says what works here and what does not, each with what to do about it.",
    "epilog": _EXAMPLES,
    "formatter_class": argparse.RawDescriptionHelpFormatter,
    "allow_abbrev": False,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `python -m spotter.doctor …`; return the exit code."""
    parser = Parser(prog="python -m spotter.doctor", **{key: HELP[key] for key in HELP if key != "help"})
    add_arguments(parser)
    return guarded(lambda: run(parser.parse_args(argv)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--device", metavar="ID|NAME", help="microphone: its number, or a part of its name")
    what.add_argument("--input", metavar="FILE", help="examine a recording instead of a microphone")
    what.add_argument("--no-mic", action="store_true", help="leave the sound system alone")
    parser.add_argument("--model", default="commands", metavar="NAME|FOLDER", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--version", action="version", version=version())


def run(
    options: argparse.Namespace,
    microphone: Callable[[int | str | None], LiveSource] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Look at everything that the options name; return the exit code.

    Parameters
    ----------
    microphone : callable, optional
        Makes the live source of a device, in the place of a `Microphone`.
    clock : callable
        By which its callbacks are timed, in seconds.
    """
    with Report(as_json=options.json) as report:
        if options.input is not None:
            _examine_file(report, options.input)  # first: an argument that is wrong is said at once
        _look_at_model(report, options.model)
        loaded = None
        if options.input is None and not options.no_mic:
            loaded = _look_at_microphone(report, options.device, microphone, clock)
        _look_at_versions(report, loaded)
        with writing():
            code = report.end()
    _leave_if_stuck(code)
    return code


def _look_at_versions(report: Report, sounddevice: Any) -> None:
    from spotter.checkup import library_versions, versions

    found = {**versions(), **library_versions(sounddevice)}
    report.begin("versions", found)
    for name, what in found.items():
        report.line(f"{name:16} {what or 'missing'}")


def _look_at_model(report: Report, name: str) -> None:
    from spotter.errors import ModelError
    from spotter.model import Model

    try:
        model = Model.open(name)
    except ModelError as error:
        report.begin("model", {"name": name, "ok": False})
        report.fail(str(error), 4)
        return
    files = {file: entry["sha256"] for file, entry in model.manifest["files"].items()}
    about = {"name": model.name, "folder": str(model.folder), "ok": True, "computed_by": model.backend, "files": files}
    report.begin("model", {**about, "keywords": list(model.keywords)})
    report.good(
        f"{model.name} in {model.folder}: its {len(files)} files are those of the manifest (SHA-256); "
        f"{model.backend} computes it"
    )
    report.line(f"{len(model.keywords)} keywords: {', '.join(model.keywords)}")
    _test(report, model)


def _test(report: Report, model: Model) -> None:
    from spotter.checkup import MOST_DIFFERENT, self_test
    from spotter.errors import SpotterError

    try:
        result = self_test(model)
    except SpotterError as error:
        report.begin("self_test", {"ok": False})
        report.fail(str(error), 1)
        return
    report.begin("self_test", result.as_dict())
    for problem in result.problems:
        report.fail(problem, 1)
    if result.difference <= MOST_DIFFERENT:
        report.good(f"stream and batch agree: {result.windows} windows, {result.difference:.0e} apart at most")
    if result.expected is None:
        report.line("the shipped recording says other words than this model knows: what it heard is not judged")
    elif not result.problems:
        report.good(f"the shipped recording gives its {len(result.expected)} words: {' '.join(result.heard)}")


def _look_at_microphone(
    report: Report,
    device: str | None,
    microphone: Callable[[int | str | None], LiveSource] | None,
    clock: Callable[[], float],
) -> Any:
    from spotter.errors import MicrophoneError
    from spotter.sources.devices import input_devices
    from spotter.sources.portaudio import PORTAUDIO

    sounddevice = None
    try:
        if microphone is None:
            from spotter.sources.microphone import Microphone

            microphone = Microphone
            sounddevice = PORTAUDIO.load()  # bounded in time, as everything of it is
            devices = input_devices()
            report.begin("devices", [asdict(found) for found in devices])
            for found in devices:
                report.line(str(found))
        _take(report, microphone(device), clock)
    except MicrophoneError as error:
        report.begin("microphone", {"ok": False})
        report.fail(str(error), 3)
    return sounddevice


def _take(report: Report, source: LiveSource, clock: Callable[[], float]) -> None:
    from spotter.examination import Examination
    from spotter.take import take

    report.hint(f"recording {_TAKE_S:g} s from {source.name}: say something …")
    took = take(source, _LEAD_S + _TAKE_S, clock=clock)
    channels = took.frames.shape[1]
    examination = Examination(took.sample_rate, channels)
    examination.add(took.frames[round(_LEAD_S * took.sample_rate) :])
    examination.finish()
    about = {
        "ok": not _dead(examination),
        "name": source.name,
        "sample_rate": took.sample_rate,
        "channels": channels,
        "callbacks": took.callbacks,
        "interval_ms": round(took.interval_ms, 2),
        "jitter_ms": round(took.jitter_ms, 2),
        "lost_frames": took.lost_frames,
        **examination.figures(),
    }
    report.begin("microphone", about)
    report.line(f"{source.name}, {took.sample_rate} Hz, {channels} ch")
    report.line(
        f"callbacks {took.interval_ms:.0f} ms apart, jitter {took.jitter_ms:.0f} ms, lost {took.lost_frames} frames"
    )
    _judge(report, examination)
    if took.jitter_ms > _LATE_MS or took.lost_frames:
        report.warn(
            f"callbacks come up to {took.jitter_ms:.0f} ms late and {took.lost_frames} frames were lost: the machine "
            "or its sound server is too busy; close what else runs, or take a longer buffer in the sound settings"
        )


def _examine_file(report: Report, name: str) -> None:
    from spotter.examination import Examination
    from spotter.sources import Missing
    from spotter.sources.recordings import open_sound

    source = open_sound(name)
    examination = Examination(source.sample_rate, source.channels)
    gaps = 0
    for block in source.blocks():
        if isinstance(block, Missing):
            gaps += 1
        else:
            examination.add(block)
    examination.finish()
    about = {"name": name, "sample_rate": source.sample_rate, "channels": source.channels, "gaps": gaps}
    report.begin("recording", {"ok": not _dead(examination), **about, **examination.figures()})
    report.line(f"{name}, {source.sample_rate} Hz, {source.channels} ch, gaps: {gaps}")
    _judge(report, examination)


def _dead(examination: Any) -> bool:
    figures = examination.figures()
    return bool(figures["seconds"] == 0 or figures["constant"])


def _judge(report: Report, examination: Any) -> None:
    figures = examination.figures()
    if figures["seconds"]:
        report.line(
            f"{figures['seconds']:.1f} s: level {figures['level_dbfs']:g} dBFS, peak {figures['peak_dbfs']:g} dBFS, "
            f"noise floor {figures['noise_floor_dbfs']:g} dBFS, offset {figures['offset']:+g}, "
            f"clipped {figures['clipped_share']:.2%}, "
            + (f"hum {figures['hum_hz']} Hz {figures['hum_dbfs']:g} dBFS" if figures["hum_hz"] else "no hum")
        )
    findings = examination.findings()
    if not figures["seconds"]:
        report.fail("it holds no sound; give a recording", 3)
        return
    for message in findings.values():
        if _dead(examination):
            report.fail(message, 3)
        else:
            report.warn(message)
    if not findings:
        report.good("it sounds as it should")


def _leave_if_stuck(code: int) -> None:
    """Do not wait, at the interpreter's end, for a sound system that hangs."""
    portaudio = sys.modules.get("spotter.sources.portaudio")
    if portaudio is not None and portaudio.PORTAUDIO.hangs:
        leave(code)
