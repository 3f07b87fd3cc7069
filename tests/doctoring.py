"""Microphones for the doctor to look at, and what it says of them."""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import soundfile

from spotter.checkup import SelfTest, self_test
from spotter.cli.common import Parser, guarded
from spotter.cli.doctor import add_arguments, run
from spotter.model import Model
from tests.fakes import FakeSoundDevice, Pushed

if TYPE_CHECKING:
    from queue import SimpleQueue

    from spotter.arrays import Floats
    from spotter.sources import Sink

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "spotter" / "data" / "demo.flac"
MODEL = ROOT / "models" / "commands"
RATE = 16_000
SPEECH: Floats = soundfile.read(DEMO, dtype="float32")[0][: 3 * RATE]


class System(FakeSoundDevice):
    def get_portaudio_version(self) -> tuple[int, str]:
        return 1, "PortAudio of the test"


class Speaking(Pushed):
    """A microphone that gives a sound as fast as it is asked."""

    def __init__(self, sound: Floats, block: int = 800, lost: int = 0) -> None:
        super().__init__()
        self.sound, self.block, self.lost = sound, block, lost

    def start(self, sink: Sink, doorbell: SimpleQueue[None]) -> None:
        super().start(sink, doorbell)
        if self.lost:
            self.lose(self.lost)
        self.push(self.sound, self.block)


@functools.cache
def shipped_result() -> SelfTest:
    """The shipped model's self-test, once for all tests that are about something else."""
    return self_test(Model.open())


def examined(
    capsys: pytest.CaptureFixture[str], sound: Floats | Pushed, *arguments: str, again: bool = False
) -> tuple[int, dict[str, Any]]:
    """What the doctor says of a microphone that gives this."""
    parser = Parser()
    add_arguments(parser)
    options = parser.parse_args(["--json", *arguments])
    source = sound if isinstance(sound, Pushed) else Speaking(sound)
    paced = (0.05 * number + 0.001 * (number % 3) for number in itertools.count())
    with pytest.MonkeyPatch.context() as patch:
        if not again:
            patch.setattr("spotter.checkup.self_test", lambda _model: shipped_result())
        code = guarded(lambda: run(options, lambda _device: source, lambda: next(paced)))
    assert source.closed
    (line,) = capsys.readouterr().out.splitlines()
    values: dict[str, Any] = json.loads(line)
    assert values["exit_code"] == code
    assert values["ok"] is (code == 0)
    return code, values


def messages(values: dict[str, Any]) -> str:
    return "\n".join(problem["message"] for problem in values["problems"])
