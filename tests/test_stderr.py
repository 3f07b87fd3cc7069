"""What C libraries write to stderr: their chatter is dropped, everything else comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spotter.sources.portaudio import quiet
from spotter.stderr import without_chatter


def is_chatter(line: bytes) -> bool:
    return line.startswith(b"chatter")


@pytest.mark.parametrize("files_in_memory", [True, False])
def test_only_chatter_is_kept_from_stderr(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, files_in_memory: bool
) -> None:
    if not files_in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    with without_chatter(is_chatter):
        os.write(2, b"a line of another thread\nchatter: nobody asked\nand more")
    os.write(2, b", and after\n")
    assert capfd.readouterr().err == "a line of another thread\nand more, and after\n"


def test_stderr_comes_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with without_chatter(is_chatter):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def test_no_descriptor_is_left_open() -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("this system does not list descriptors")
    before = len(list(descriptors.iterdir()))
    for _ in range(5):
        with without_chatter(is_chatter):
            pass
    assert len(list(descriptors.iterdir())) == before


def test_what_the_sound_system_says_of_refusals_is_dropped_with_its_empty_lines(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet():
        os.write(2, b"\nALSA lib pcm.c:2664:(snd_pcm_open_noupdate) Unknown PCM hw\n\njack server is not running or\n")
        os.write(2, b"a line of somebody else\n")
    assert capfd.readouterr().err == "a line of somebody else\n"


def test_who_ends_the_process_at_once_lets_out_first_what_was_said() -> None:
    code = """
import sys, threading
from spotter.cli.common import leave, tell
from spotter.stderr import without_chatter
inside, free = threading.Event(), threading.Event()
def hang():
    with without_chatter(lambda line: False):
        inside.set()
        free.wait()
threading.Thread(target=hang, daemon=True).start()
inside.wait()
tell("what was heard")
threading.Timer(0.1, free.set).start()
leave(3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60.0)
    assert (done.stderr, done.returncode) == ("what was heard\n", 3)
