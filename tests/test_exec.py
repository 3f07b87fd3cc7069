"""A command for each detection: taken apart, filled in, few at a time, for a limited time, and never by a shell."""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from spotter.cli.listen import DEMO
from spotter.errors import BadInputError
from spotter.events import Detection
from spotter.exec_command import Commands, filled, split
from tests.fakes import Pushed, ScriptedModel, recording
from tests.processes import LIMIT_S, gone, until

PYTHON = sys.executable


def heard(keyword: str = "yes", time_s: float = 12.4) -> Detection:
    at = round(time_s * 16_000)
    return Detection(keyword=keyword, score=0.97, time_sample=at, start_sample=at - 12_480, end_sample=at - 1_440)


def script(code: str, *arguments: str) -> list[str]:
    return [PYTHON, "-c", code, *arguments]


def test_a_command_is_split_first_and_only_then_filled_in() -> None:
    words = split(f"{PYTHON} --say='heard {{keyword}}' \"{{score}} of 1\" {{start}}-{{end}} {{time}}")
    assert filled(words, heard("stop; rm -rf 'x y'")) == [
        PYTHON,
        "--say=heard stop; rm -rf 'x y'",
        "0.97 of 1",
        "11.62-12.31",
        "12.4",
    ]


@pytest.mark.parametrize(
    "word",
    ["{0}", "{}", "{keyword.__class__}", "{keyword!r}", "{score:.1f}", "{print $1}", "{other}", "$HOME", "`id`", "*"],
)
def test_whatever_is_no_known_placeholder_stays_as_it_is(word: str) -> None:
    assert filled([PYTHON, word], heard()) == [PYTHON, word]


def test_braces_around_a_placeholder_stay_and_what_was_filled_in_is_not_looked_at_again() -> None:
    assert filled(["a", '{"word": "{keyword}"}', "{{score}}"], heard("{score}")) == [
        "a",
        '{"word": "{score}"}',
        "{0.97}",
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("''", "empty"),
        ("echo 'yes", "quotation"),
        ("no_such_program_here {keyword}", "no program"),
        (str(Path(__file__).parent), "no program"),
        ("{keyword} x", "placeholder"),
    ],
)
def test_a_command_that_cannot_be_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(BadInputError, match=hint):
        split(text)


def test_no_shell_sees_a_keyword(tmp_path: Path) -> None:
    out = tmp_path / "out"
    keyword = f"yes; touch {tmp_path}/made $(touch {tmp_path}/made) `touch {tmp_path}/made` *"
    commands = Commands(script(f"import sys; open({str(out)!r}, 'w').write(sys.argv[1])", "{keyword}"))
    assert commands.start(heard(keyword))
    commands.end(LIMIT_S)
    assert out.read_text() == keyword
    assert not (tmp_path / "made").exists()


def test_a_command_is_not_told_our_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOTTER_MQTT_PASSWORD", "s3cret")
    monkeypatch.setenv("SPOTTER_OTHER", "kept")
    out = tmp_path / "out"
    commands = Commands(script(f"import os; open({str(out)!r}, 'w').write(' '.join(os.environ))"))
    commands.start(heard())
    commands.end(LIMIT_S)
    names = out.read_text().split()
    assert "SPOTTER_OTHER" in names
    assert "SPOTTER_MQTT_PASSWORD" not in names


def test_what_finds_no_place_is_left_out_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    commands = Commands(script(f"open({str(gate)!r}).read()"), places=2)
    with caplog.at_level(logging.WARNING, "spotter"):
        assert [commands.start(heard()) for _ in range(4)] == [True, True, False, False]
        commands.drop(heard("left", 3.0))
        commands.drop(heard("right", 4.0))
    assert caplog.text.count("left out") == 1
    assert "for left at 3.00 s" in caplog.text
    open(gate, "w").close()  # noqa: PTH123  both readers end
    assert commands.start(heard(), wait_s=LIMIT_S)
    commands.end(0.0)
    assert commands.counts.dropped == 2


def test_a_hanging_command_is_killed_with_all_it_started_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    born = tmp_path / "born"
    # A shell, since it is at its child long before a second is over, however busy the machine is.
    commands = Commands(["sh", "-c", f"sleep 600 & echo $! > {shlex.quote(str(born))}; wait"], places=1, limit_s=1.0)
    with caplog.at_level(logging.WARNING, "spotter"):
        commands.start(heard())
        until(lambda: born.exists() and born.read_text().endswith("\n"))
        child = int(born.read_text())
        assert commands.start(heard(), wait_s=LIMIT_S), "its place is free again"
    assert "took more than 1 s and is killed" in caplog.text
    assert commands.counts.timed_out == 1
    commands.end(0.0)
    until(lambda: gone(child))


def test_a_command_that_nobody_can_watch_is_killed_and_gives_its_place_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    commands = Commands(script("import time; time.sleep(600)"), places=1)

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "spotter"):
        patch.setattr(threading.Thread, "start", none_left)
        assert commands.start(heard())
        assert commands.start(heard())
    assert caplog.text.count("cannot be watched (can't start new thread) and is killed") == 2
    commands.end(0.0)
    assert str(commands.counts) == "commands run: 2, failed: 2, timed out: 0, dropped: 0"


def test_a_failing_command_is_reported_and_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    commands = Commands(script("import sys; sys.exit(sys.argv[1] == 'no')", "{keyword}"))
    with caplog.at_level(logging.WARNING, "spotter"):
        for keyword in ("yes", "no", "yes"):
            assert commands.start(heard(keyword), wait_s=LIMIT_S)
        commands.end(LIMIT_S)
    assert caplog.text.count("exit code") == 1
    assert "failed with exit code 1" in caplog.text
    assert str(commands.counts) == "commands run: 3, failed: 1, timed out: 0, dropped: 0"


def test_a_command_that_cannot_be_started_is_reported_and_gives_its_place_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    commands = Commands([PYTHON, "{keyword}"], places=1)
    with caplog.at_level(logging.WARNING, "spotter"):
        assert commands.start(heard("a\0b"))
        assert commands.start(heard("a\0b"))
    assert "could not be started" in caplog.text
    assert commands.counts.failed == 2


def test_a_command_that_still_runs_at_the_end_is_killed_and_said(caplog: pytest.LogCaptureFixture) -> None:
    commands = Commands(script("import time; time.sleep(600)"))
    commands.start(heard())
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "spotter"):
        commands.end(0.1)
    assert time.monotonic() - began < LIMIT_S  # it would take ten minutes
    assert "still runs at the end" in caplog.text


def listen(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [PYTHON, "-m", "spotter.listen", *arguments], input=stdin, capture_output=True, timeout=LIMIT_S, check=False
    )


def test_listen_runs_it_for_each_word_of_a_recording_and_keeps_events_apart_from_what_it_prints(
    tmp_path: Path,
) -> None:
    code = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + chr(10)); print('noise')"
    command = shlex.join(script(code, str(tmp_path / "log"), "{keyword} {score} {time}"))
    done = listen("--input", str(DEMO), "--json", "--exec", command, "--exec-places", "1")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = [f"{e['keyword']} {e['score']} {e['time']}" for e in events]
    assert len(wanted) == 10
    assert (tmp_path / "log").read_text().splitlines() == wanted
    assert b"commands run: 10, failed: 0, timed out: 0, dropped: 0" in done.stderr


def test_in_a_live_stream_nothing_waits_for_a_place(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from spotter.cli.exec_option import Exec
    from spotter.listener import Listener

    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    outlet = Exec(Commands(script("import time; time.sleep(600)"), places=1), 600.0)
    outlet.begin(listener)
    began = time.monotonic()
    with listener:
        events = listener.events()
        for word in ("yes", "no", "yes"):  # one by one: where too much waits, windows are left out
            source.push(recording((1.0, word), seconds=2.0))
            event = next(events)
            assert event is not None
            outlet.hear(event)
    assert time.monotonic() - began < LIMIT_S  # a place would be free after ten minutes
    outlet.end()
    assert "run: 1, failed: 0, timed out: 0, dropped: 2" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--exec-places", "2"], b"--exec-places is for --exec"),
        (["--exec", "true", "--exec-places", "0"], b"--exec-places 0"),
        (["--exec", "true", "--exec-limit", "nan"], b"--exec-limit nan"),
        (["--exec", "no_such_program_here"], b"no program"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_heard(arguments: list[str], hint: bytes) -> None:
    done = listen("--input", str(DEMO), *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert hint in done.stderr
    assert b"Traceback" not in done.stderr
