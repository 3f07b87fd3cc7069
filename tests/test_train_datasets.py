"""Published data sets by name: downloaded from a server on this machine, cut, gone on with, checked, unpacked."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spotter.errors import BadInputError, SpotterError
from tests.conftest import word
from train import data, datasets
from train.cli import main
from train.datasets import DataSet, fetch

# From the published lists of Speech Commands 0.02: one speaker of each side.
LISTED = {"validation": "026290a7", "testing": "bb05582b", "training": "0165e0e8"}


@dataclass
class Server:
    """Serves `content` at /set.tar.gz and the like; says what was asked of it."""

    content: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)  # bytes of the next answers, one each; then all
    ranges: bool = True
    tag: str = '"one"'
    asked: list[str] = field(default_factory=list)  # the Range of each request, or ""
    url: str = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            state.asked.append(asked)
            body = state.content.get(self.path.lstrip("/"))
            if body is None:
                self.send_error(404)
                return
            same = self.headers.get("If-Range", state.tag) == state.tag
            start = int(re.findall(r"\d+", asked)[0]) if asked and state.ranges and same else 0
            if start and start >= len(body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("ETag", state.tag)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            self.wfile.write(body[start:][: state.cut_after.pop(0) if state.cut_after else None])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the parent's name)
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def wav(hz: float) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, word(hz), 16_000, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def files() -> dict[str, bytes]:
    """A small Speech Commands: two words, one speaker of each side of the split, its own lists."""
    out = {f"{w}/{s}_nohash_0.wav": wav(hz) for w, hz in (("yes", 900), ("no", 2_500)) for s in LISTED.values()}
    for side in ("validation", "testing"):
        out[f"{side}_list.txt"] = "".join(f"{w}/{LISTED[side]}_nohash_0.wav\n" for w in ("yes", "no")).encode()
    return out | {"_background_noise_/hum.wav": wav(100), "LICENSE": b"CC BY 4.0"}


def tarred(content: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as out:
        for name, body in content.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(body)
            out.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def zipped(content: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name, body in content.items():
            out.writestr(name, body)
    return buffer.getvalue()


def small(body: bytes, archive: str = "small.tar.gz", **changes: object) -> DataSet:
    settings = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "recordings": 9, **changes}
    return DataSet(name="small", archive=archive, words=("yes", "no"), **settings)  # type: ignore[arg-type]


ARCHIVE = tarred(files())


def test_an_archive_is_downloaded_once_and_unpacked(server: Server, tmp_path: Path) -> None:
    server.content["small.tar.gz"] = ARCHIVE
    out = fetch(small(ARCHIVE), tmp_path, url=server.url)
    assert (out / "yes" / "026290a7_nohash_0.wav").read_bytes() == files()["yes/026290a7_nohash_0.wav"]
    assert fetch(small(ARCHIVE), tmp_path, url=server.url) == out
    assert server.asked == [""]


def test_the_sets_own_lists_agree_with_the_hash_rule(server: Server, tmp_path: Path) -> None:
    server.content["small.tar.gz"] = ARCHIVE
    out = fetch(small(ARCHIVE), tmp_path, url=server.url)
    for side in ("validation", "testing"):
        listed = set((out / f"{side}_list.txt").read_text().split())
        assert {f"{r.word}/{r.path.name}" for r in data.word_rows(out) if r.split == side} == listed


def test_a_download_that_is_cut_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.content["small.tar.gz"] = ARCHIVE
    server.cut_after = [1_000, 2_000]
    fetch(small(ARCHIVE), tmp_path, url=server.url, wait_s=0.0)
    assert server.asked == ["", "bytes=1000-", "bytes=3000-"]


def test_a_later_command_goes_on_with_what_an_earlier_one_left(server: Server, tmp_path: Path) -> None:
    (tmp_path / "small.tar.gz.part").write_bytes(ARCHIVE[:1_500])
    server.content["small.tar.gz"] = ARCHIVE
    fetch(small(ARCHIVE), tmp_path, url=server.url)
    assert server.asked == ["bytes=1500-"]


def test_a_server_without_ranges_sends_it_from_the_beginning(server: Server, tmp_path: Path) -> None:
    server.content["small.tar.gz"] = ARCHIVE
    server.ranges = False
    server.cut_after = [1_000]
    out = fetch(small(ARCHIVE), tmp_path, url=server.url, wait_s=0.0)
    assert (out / "no").is_dir()


def test_two_versions_of_an_archive_are_never_mixed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "small.tar.gz.part").write_bytes(b"x" * 1_500)
    (tmp_path / "small.tar.gz.part.tag").write_text('"old"')
    server.content["small.tar.gz"] = ARCHIVE
    out = fetch(small(ARCHIVE, sha256=""), tmp_path, url=server.url)
    assert (out / "yes").is_dir()


def test_an_archive_that_is_not_as_published_is_refused_and_downloaded_anew(server: Server, tmp_path: Path) -> None:
    server.content["small.tar.gz"] = bytes(len(ARCHIVE))
    with pytest.raises(BadInputError, match=r"SHA-256 .* published is .* anew"):
        fetch(small(ARCHIVE), tmp_path, url=server.url)
    assert not (tmp_path / "small").exists()
    server.content["small.tar.gz"] = ARCHIVE
    assert fetch(small(ARCHIVE), tmp_path, url=server.url).is_dir()


def test_an_archive_of_another_size_is_not_even_downloaded(server: Server, tmp_path: Path) -> None:
    server.content["small.tar.gz"] = ARCHIVE
    with pytest.raises(SpotterError, match="were expected"):
        fetch(small(ARCHIVE, bytes=999), tmp_path, url=server.url)


def test_without_an_answer_people_are_told_where_to_get_it_and_where_to_put_it(server: Server, tmp_path: Path) -> None:
    with pytest.raises(SpotterError, match="404") as caught:
        fetch(small(ARCHIVE), tmp_path, url=server.url, wait_s=0.0)
    assert f"{server.url}/small.tar.gz" in str(caught.value)
    assert str(tmp_path / "small.tar.gz") in str(caught.value)
    assert len(server.asked) == 1


def test_without_a_network_it_is_tried_some_times_and_what_came_is_kept(tmp_path: Path) -> None:
    (tmp_path / "small.tar.gz.part").write_bytes(ARCHIVE[:1_500])
    with pytest.raises(SpotterError, match=r"no connection .* are kept"):
        fetch(small(ARCHIVE), tmp_path, url="http://127.0.0.1:9", wait_s=0.0)
    assert (tmp_path / "small.tar.gz.part").read_bytes() == ARCHIVE[:1_500]


def test_an_archive_that_was_put_there_by_hand_is_used(tmp_path: Path) -> None:
    (tmp_path / "small.tar.gz").write_bytes(ARCHIVE)
    assert (fetch(small(ARCHIVE), tmp_path, url="http://127.0.0.1:9") / "yes").is_dir()


def test_a_folder_that_was_unpacked_by_hand_is_used_and_another_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "small" / "yes").mkdir(parents=True)
    with pytest.raises(BadInputError, match="move it away"):
        fetch(small(ARCHIVE), tmp_path)
    (tmp_path / "small" / "no").mkdir()
    assert fetch(small(ARCHIVE), tmp_path) == tmp_path / "small"


def test_the_small_set_is_a_zip_with_a_folder_in_it(tmp_path: Path) -> None:
    body = zipped({f"mini/{name}": content for name, content in files().items()} | {"__MACOSX/mini/._x": b""})
    (tmp_path / "mini.zip").write_bytes(body)
    out = fetch(small(body, "mini.zip", sha256=""), tmp_path)
    assert out == tmp_path / "mini"
    assert len(data.word_rows(out)) == 6


@pytest.mark.parametrize("name", ["../outside.wav", "/outside.wav", "yes\\..\\..\\outside.wav", "C:/outside.wav"])
def test_no_file_of_an_archive_lands_outside(tmp_path: Path, name: str) -> None:
    body = zipped({**files(), name: b"x"})
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.zip").write_bytes(body)
    with pytest.raises(BadInputError, match="elsewhere"):
        fetch(small(body, "bad.zip"), tmp_path / "in")
    assert not list(tmp_path.glob("outside*"))


def test_links_in_an_archive_are_left_out(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as out:
        link = tarfile.TarInfo("yes/link.wav")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        out.addfile(link)
        for folder in ("yes", "no"):
            info = tarfile.TarInfo(f"{folder}/a.wav")
            info.size = 4
            out.addfile(info, io.BytesIO(b"RIFF"))
    body = buffer.getvalue()
    (tmp_path / "small.tar.gz").write_bytes(body)
    out_folder = fetch(small(body), tmp_path)
    assert sorted(p.name for p in (out_folder / "yes").iterdir()) == ["a.wav"]


@pytest.mark.parametrize("archive", ["bad.zip", "bad.tar.gz"])
def test_a_damaged_archive_is_refused_and_put_aside(tmp_path: Path, archive: str) -> None:
    body = bytearray(zipped(files()) if archive.endswith("zip") else ARCHIVE)
    middle = len(body) // 2
    body[middle : middle + 500] = np.random.default_rng(0).bytes(500)
    (tmp_path / archive).write_bytes(bytes(body))
    with pytest.raises(BadInputError, match="damaged"):
        fetch(small(bytes(body), archive), tmp_path)
    assert (tmp_path / f"{archive}.wrong").exists()
    assert not (tmp_path / "bad").exists()


def test_an_archive_without_the_words_is_refused(tmp_path: Path) -> None:
    body = tarred({"yes/a.wav": b"", "maybe/b.wav": b""})
    (tmp_path / "small.tar.gz").write_bytes(body)
    with pytest.raises(BadInputError, match="no folder 'no'"):
        fetch(small(body), tmp_path)


def test_without_room_for_it_nothing_is_begun(tmp_path: Path, server: Server) -> None:
    with pytest.raises(SpotterError, match="GB free"):
        fetch(small(ARCHIVE, unpacked_bytes=10**18), tmp_path, url=server.url)
    assert server.asked == []


def test_a_step_takes_the_name_of_a_data_set_in_the_place_of_a_folder(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.content["small.tar.gz"] = ARCHIVE
    monkeypatch.setitem(datasets.KNOWN, "speech_commands", small(ARCHIVE))
    monkeypatch.setenv(datasets.MIRROR, server.url)
    out, kept = str(tmp_path / "out"), str(tmp_path / "kept")
    assert main(["explore", "--dataset", "speech_commands", "--data-dir", kept, "--out", out]) == 0
    assert (tmp_path / "kept" / "small" / "dataset.json").exists()
    assert main(["explore", kept, "--dataset", "speech_commands"]) == 2
    assert main(["explore"]) == 2
    assert "--dataset NAME" in capsys.readouterr().err
