"""A person's own settings: command line, then their file, then the model's manifest."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from spotter.cli.listen import main
from spotter.errors import BadInputError
from spotter.model import Model
from spotter.settings import DecoderConfig
from spotter.user_settings import applied, own_settings, save_own, settings_file
from tests.fakes import TALK, ScriptedModel
from tests.processes import LIMIT_S, started

MODEL = DecoderConfig(threshold=0.7, thresholds={"yes": 0.6}, smooth_ms=100.0, margin=0.1)
WORDS = ("yes", "no")


@pytest.fixture(autouse=True)
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "spotter" / "settings.json"


def put(file: Path, values: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(values if isinstance(values, str) else json.dumps(values), "utf-8")


def of_model(**own: Any) -> dict[str, Any]:
    return {"format": 1, "models": {"mine": own, "other": {"margin": 0.5}}}


@pytest.mark.parametrize(
    ("platform", "variable", "value", "wanted"),
    [
        ("linux", "XDG_CONFIG_HOME", "/c", "/c/spotter/settings.json"),
        ("linux", "XDG_CONFIG_HOME", "", "/h/.config/spotter/settings.json"),
        ("darwin", "XDG_CONFIG_HOME", "/c", "/h/Library/Application Support/spotter/settings.json"),
        ("win32", "APPDATA", "/r", "/r/spotter/settings.json"),
        ("win32", "APPDATA", "", "/h/AppData/Roaming/spotter/settings.json"),
    ],
)
def test_the_file_is_where_the_platform_has_such_files(
    monkeypatch: pytest.MonkeyPatch, platform: str, variable: str, value: str, wanted: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.setenv(variable, value)
    assert settings_file().as_posix() == wanted


def test_without_a_file_the_models_settings_hold_and_nothing_is_said() -> None:
    result = applied("mine", MODEL, WORDS)
    assert (result.decoder, result.said) == (MODEL, "")
    assert applied("mine", MODEL, WORDS, 0.9).said == ""


def test_the_command_line_goes_before_the_file_and_the_file_before_the_model(file: Path) -> None:
    put(file, of_model(thresholds={"yes": 0.8, "no": 0.9}, smooth_ms=200))
    result = applied("mine", MODEL, WORDS, None, {"no": 0.3})
    assert dict(result.decoder.thresholds) == {"yes": 0.8, "no": 0.3}
    assert (result.decoder.smooth_ms, result.decoder.margin) == (200.0, 0.1)
    assert result.said == (
        f"settings: threshold of no from the command line; smooth_ms and threshold of yes from {file}; "
        "all else from the model"
    )
    assert applied("mine", MODEL, WORDS, 0.5).decoder.threshold_of("yes") == 0.5
    assert applied("other", MODEL, WORDS).decoder.margin == 0.5
    assert applied("third", MODEL, WORDS).said == ""


def test_a_threshold_for_all_in_the_file_replaces_those_of_the_models_words(file: Path) -> None:
    put(file, of_model(threshold=0.8))
    decoder = applied("mine", MODEL, WORDS).decoder
    assert [decoder.threshold_of(word) for word in WORDS] == [0.8, 0.8]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[1]", "holds no JSON object"),
        ("[" * 100_000, "is not JSON"),
        ("\x00", "is not JSON"),
        (" " * (2 << 20), "is not JSON"),
        ({"format": 2}, "is of format 2, newer than 1, which this version reads; update spotter"),
        ({"format": "1"}, "format is '1'"),
        ({"modles": {}}, "holds 'modles' beside format and models"),
        ({"models": []}, r"models is \[\], which is no object"),
        (of_model(thresholds=0.5), "with which nothing can be set"),
        ({"models": {"mine": 5}}, "'mine' has 5"),
        (of_model(treshold=0.5), "unknown decoder option 'treshold'"),
        (of_model(margin="0.5"), "'margin' has the value '0.5'"),
        (of_model(margin=5), "margin 5 is out of range"),
        (of_model(thresholds={"maybe": 0.5}), "the model has no keyword 'maybe'"),
        (of_model(thresholds={"yes": "high"}), "yes 'high' is out of range"),
    ],
)
def test_a_broken_file_is_one_sentence_with_the_fix(file: Path, text: Any, says: str) -> None:
    put(file, text)
    with pytest.raises(BadInputError, match=says) as error:
        applied("mine", MODEL, WORDS)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(("correct it there, or remove the file", "update spotter"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_in_place_of_the_file_is_a_sentence_and_not_waited_for(file: Path) -> None:
    file.parent.mkdir(parents=True)
    os.mkfifo(file)
    with pytest.raises(BadInputError, match="is no file; correct it"):
        applied("mine", MODEL, WORDS)


def test_what_is_saved_is_what_differs_from_the_model_and_nothing_else_is_lost(file: Path) -> None:
    put(file, of_model(threshold=0.9, refractory_ms=800))
    assert save_own("mine", MODEL, {"yes": 0.6, "no": 0.85}, smooth_ms=150.0, margin=0.1) == file
    values = json.loads(file.read_text("utf-8"))
    assert values["models"] == {
        "other": {"margin": 0.5},
        "mine": {"refractory_ms": 800, "thresholds": {"no": 0.85}, "smooth_ms": 150.0},
    }
    decoder = applied("mine", MODEL, WORDS).decoder
    assert [decoder.threshold_of(word) for word in WORDS] == [0.6, 0.85]
    assert list(file.parent.iterdir()) == [file]


def test_saving_the_models_own_settings_leaves_nothing_of_them(file: Path) -> None:
    save_own("mine", MODEL, {"yes": 0.5, "no": 0.5}, smooth_ms=10.0, margin=0.2)
    assert own_settings("mine")
    save_own("mine", MODEL, {"yes": 0.6, "no": 0.7}, smooth_ms=100.0, margin=0.1)
    assert json.loads(file.read_text("utf-8"))["models"] == {}


def test_a_broken_file_is_not_written_over(file: Path) -> None:
    put(file, "{")
    with pytest.raises(BadInputError, match="is not JSON"):
        save_own("mine", MODEL, {"yes": 0.5, "no": 0.5}, smooth_ms=10.0, margin=0.2)
    assert file.read_text("utf-8") == "{"


def test_a_file_that_cannot_be_written_is_a_sentence(file: Path) -> None:
    file.parent.parent.mkdir()
    file.parent.write_text("in the way")
    with pytest.raises(BadInputError, match=r"settings\.json cannot be "):
        save_own("mine", MODEL, {"yes": 0.5, "no": 0.5}, smooth_ms=10.0, margin=0.2)


@pytest.mark.parametrize("own_folder", [True, False])
def test_a_file_of_ones_own_must_be_readable_and_somebody_elses_home_is_nobodys_settings(
    monkeypatch: pytest.MonkeyPatch, own_folder: bool
) -> None:
    def stat(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(os, "access", lambda *_: own_folder)
    if own_folder:
        with pytest.raises(BadInputError, match=r"cannot be read \(Permission denied\); check its rights"):
            own_settings("mine")
    else:
        assert own_settings("mine") == {}


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    put(tmp_path / "dotfiles" / "settings.json", {})
    file.parent.mkdir(parents=True)
    file.symlink_to(tmp_path / "dotfiles" / "settings.json")
    save_own("mine", MODEL, {"yes": 0.5, "no": 0.5}, smooth_ms=10.0, margin=0.2)
    assert file.is_symlink()
    assert "mine" in (tmp_path / "dotfiles" / "settings.json").read_text("utf-8")


def test_listen_uses_them_and_says_so(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import soundfile

    monkeypatch.setattr(Model, "open", lambda *_, **__: ScriptedModel())
    soundfile.write(tmp_path / "talk.wav", TALK, 16_000)
    put(file, {"format": 1, "models": {"scripted": {"thresholds": {"yes": 0.99}}}})
    assert main(["--input", str(tmp_path / "talk.wav")]) == 0
    captured = capsys.readouterr()
    assert [line.split()[2] for line in captured.out.splitlines()] == ["no"]
    assert captured.err.startswith(f"settings: threshold of yes from {file}; all else from the model\nlistening to ")
    put(file, "{")
    assert main(["--input", str(tmp_path / "talk.wav")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_threads_that_save_at_once_leave_a_whole_file_with_what_each_has_saved(file: Path) -> None:
    problems: list[Exception] = []

    def save(name: str) -> None:
        try:
            for number in range(50):
                save_own(name, DecoderConfig(), {"yes": number / 100}, smooth_ms=100, margin=0.1)
        except BadInputError as problem:
            problems.append(problem)

    threads = [threading.Thread(target=save, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert set(json.loads(file.read_text())["models"]) == set("abc")
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.skipif(sys.platform == "win32", reason="no locks that are let go of by themselves")
def test_who_saves_while_another_process_does_reads_what_that_one_has_written(file: Path) -> None:
    put(file, of_model())
    other = (
        "import fcntl, os, pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "fcntl.flock(os.open(file.parent, os.O_RDONLY), fcntl.LOCK_EX)\n"
        "print('alone', flush=True)\n"
        "sys.stdin.read()\n"
        "file.write_text(sys.argv[2])\n"
    )
    added = json.dumps({"format": 1, "models": {"third": {"margin": 0.3}}})
    command = [sys.executable, "-c", other, str(file), added]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "alone\n"
        saving = threading.Thread(
            target=save_own, args=("mine", MODEL, {"yes": 0.5}), kwargs={"smooth_ms": 100.0, "margin": 0.1}
        )
        saving.start()
        saving.join(0.2)  # without the lock it would be done
        process.stdin.close()
        saving.join(LIMIT_S)
    assert json.loads(file.read_text())["models"] == {"third": {"margin": 0.3}, "mine": {"thresholds": {"yes": 0.5}}}
