"""A private virtual microphone: a PulseAudio server of the test's own, no sound card (Linux).

    with VirtualMic() as mic:
        child = subprocess.Popen([...], env=mic.client_env())
        mic.wait_for_listener()
        mic.play(wav)  # the child hears it

Needs Debian's libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins. All that the server writes lies in one
private folder; the person's own sound server, HOME and D-Bus session are not touched, and only the process started here
is signalled.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

SINK: Final = "vmic"  # what is played into it is heard on its monitor, the only source
ALSA: Final = "pcm.!default { type pulse }\nctl.!default { type pulse }\n"  # PortAudio comes through ALSA
LIMIT_S: Final = 60.0  # only so that nothing waits for ever
SOCKET_PATH_BYTES: Final = 80  # a socket's path has at most 107


class VirtualMic:
    """The server and its environment; `kill` and `start` unplug the microphone and bring it back."""

    def __init__(self, sample_rate: int = 16_000, channels: int = 1) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        deep = len(os.fsencode(tempfile.gettempdir())) > SOCKET_PATH_BYTES
        self.folder = Path(tempfile.mkdtemp(prefix="vmic-", dir="/tmp" if deep else None))  # noqa: S108
        (self.folder / "asound.conf").write_text(ALSA, encoding="utf-8")
        self._server: subprocess.Popen[bytes] | None = None

    def client_env(self) -> dict[str, str]:
        """Environment of the program under test and of the players."""
        env = self._private_env()
        env["PULSE_SERVER"] = f"unix:{self.folder}/native"  # no other server is started for want of this one
        env["ALSA_CONFIG_PATH"] = f"{self.folder}/asound.conf"
        return env

    def start(self, timeout_s: float = LIMIT_S) -> None:
        """Plug the microphone in."""
        env = self._private_env() | {"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        command = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
        command += ["--realtime=no", "--high-priority=no", "--disable-shm=yes", "--log-target=stderr"]
        protocol = f"module-native-protocol-unix socket={self.folder}/native auth-anonymous=1 auth-cookie-enabled=0"
        command += [f"--load={protocol}", f"--load={' '.join(self._sink())}"]
        log = self.folder / "server.log"
        with log.open("ab") as out:
            self._server = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        end = time.monotonic() + timeout_s
        while self._pactl("info").returncode:
            if self._server.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"pulseaudio did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Unplug the microphone: every open stream ends."""
        if self._server and self._server.poll() is None:
            self._server.send_signal(signal.SIGKILL)
            self._server.wait(LIMIT_S)

    def freeze(self) -> None:
        """Let the server stand still: it answers nobody, and no audio comes."""
        assert self._server
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on; what was recorded meanwhile comes in a burst."""
        assert self._server
        self._server.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """Take the only source away from a server that goes on."""
        self.pactl("unload-module", "module-null-sink")

    def add(self) -> None:
        """Bring it back."""
        self.pactl("load-module", *self._sink())

    def add_dead_source(self) -> None:
        """Add a source that never gives anything; it becomes the default."""
        fifo = self.folder / "mic.fifo"
        settings = ("source_name=dead", f"file={fifo}", "format=s16le", "rate=16000", "channels=1")
        self.pactl("load-module", "module-pipe-source", *settings)
        self.pactl("set-default-source", "dead")

    def wait_for_listener(self, timeout_s: float = LIMIT_S) -> None:
        """Return once some program records from the microphone."""
        end = time.monotonic() + timeout_s
        while not self._pactl("list", "short", "source-outputs").stdout.strip():
            if time.monotonic() > end:
                raise TimeoutError("nobody opened the microphone")
            time.sleep(0.02)

    def play(self, wav: Path) -> None:
        """Play a file into the microphone; return when it has been played."""
        subprocess.run(["paplay", f"--device={SINK}", str(wav)], env=self.client_env(), check=True, timeout=2 * LIMIT_S)

    def pactl(self, *arguments: str) -> None:
        """Have the server do something."""
        done = self._pactl(*arguments)
        assert done.returncode == 0, done.stderr

    def _sink(self) -> tuple[str, ...]:
        # Without norewinds the first audio comes a second late, and the first 20 ms of a file are lost.
        rate = (f"rate={self.sample_rate}", f"channels={self.channels}", "format=s16le")
        return ("module-null-sink", f"sink_name={SINK}", "norewinds=1", *rate)

    def _pactl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["pactl", *arguments]
        return subprocess.run(
            command, env=self.client_env(), check=False, capture_output=True, text=True, timeout=LIMIT_S
        )

    def _private_env(self) -> dict[str, str]:
        others = (
            "PULSE_",
            "PIPEWIRE_",
            "ALSA_",
            "XDG_RUNTIME",
            "DISPLAY",
            "WAYLAND_DISPLAY",
            "DBUS_SESSION_BUS_ADDRESS",
        )
        env = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        for name in ("XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH"):
            env[name] = str(self.folder)
        env["PULSE_COOKIE"] = f"{self.folder}/cookie"
        return env

    def close(self) -> None:
        """End the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
