"""Signs of life for whoever watches the listener: a file, and the service manager of systemd.

There is one only while audio really comes and is judged. A process that runs, but is deaf, gives none.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE

if TYPE_CHECKING:
    from spotter.pipeline import Spotter

_log = logging.getLogger(__name__)

EVERY_S: Final = 5.0
_TYPE: Final = "heartbeat"
_BEATS_A_WATCH: Final = 3.0  # within the time that systemd waits, so that a late one does no harm


class Service:
    """The service manager that started this process, where there is one (sd_notify(3), sd_watchdog_enabled(3)).

    Parameters
    ----------
    environment : mapping
        With `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, if it is so.
    pid : int
        Of this process.

    Attributes
    ----------
    watchdog_s : float or None
        After so many seconds without a sign of life the service is restarted.
    """

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A path, or an abstract name, which systemd writes with an @ for the 0 that it begins with.
        self._address = address.replace("@", "\0", 1) if address.startswith("@") else address
        self._failed = False
        if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
            self._address = ""
        self.watchdog_s: float | None = None
        with suppress(ValueError):
            if self._address and int(environment.get("WATCHDOG_PID") or pid) == pid:
                self.watchdog_s = int(environment["WATCHDOG_USEC"]) / 1e6 if environment.get("WATCHDOG_USEC") else None

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self._address)

    def tell(self, *states: str) -> None:
        """Send states such as `READY=1`; never waits, never fails."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(0.0)
                out.sendto("\n".join(states).encode(), self._address)
        except OSError as error:
            if not self._failed:
                self._failed = True
                _log.warning(
                    "the service manager cannot be told %s (%s); listening goes on, this is said once",
                    states[0],
                    error.strerror,
                )
        else:
            self._failed = False


class Heartbeat:
    """Beats while audio is judged.

    Parameters
    ----------
    path : Path, optional
        The file that is written at each beat: one JSON object with the time of day, seconds of the stream, and counts.
    service : Service, optional
        Is told `READY=1` at the first beat, `WATCHDOG=1` at each, and `STOPPING=1` at the end.
    clock : callable
        Seconds that never go back.

    Raises
    ------
    BadInputError
        The file cannot be written, or is something else.
    """

    def __init__(
        self,
        path: Path | None = None,
        service: Service | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.beats = 0
        self._service = service or Service({}, 0)
        self._clock = clock
        self._every_s = min(EVERY_S, (self._service.watchdog_s or EVERY_S * _BEATS_A_WATCH) / _BEATS_A_WATCH)
        self._next_s = 0.0
        self._windows = 0
        self._failed = False
        if path is not None:
            _check(path)

    def look(self, spotter: Spotter, gaps: int = 0) -> bool:
        """Beat if it is time and windows were judged since the last beat; whether it did. To be asked often."""
        now = self._clock()
        if spotter.windows == self._windows or (self.beats and now < self._next_s):
            return False
        self._windows, self._next_s = spotter.windows, now + self._every_s
        if self.path is not None:
            self._write(self.path, spotter, gaps)
        states = ["WATCHDOG=1"] if self._service.watchdog_s else []
        if not self.beats:
            states.insert(0, "READY=1")
        if states:
            self._service.tell(*states)
        self.beats += 1
        _log.debug("beat %d, %d windows", self.beats, spotter.windows)
        return True

    def end(self) -> None:
        """Say that listening ends."""
        self._service.tell("STOPPING=1")

    def _write(self, path: Path, spotter: Spotter, gaps: int) -> None:
        values: dict[str, Any] = {
            "type": _TYPE,
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "stream_seconds": round(spotter.position / SAMPLE_RATE, 3),
            "windows": spotter.windows,
            "detections": spotter.detections,
            "gaps": gaps,
            "lost_seconds": round(spotter.lost_samples / SAMPLE_RATE, 3),
            "health": spotter.health.finding if spotter.health else None,
            "pid": os.getpid(),
        }
        try:
            _replace(path, values)
        except OSError as error:
            if not self._failed:
                self._failed = True
                _log.warning(
                    "the heartbeat %s cannot be written (%s); listening goes on, this is said once",
                    path,
                    error.strerror,
                )
        else:
            self._failed = False


def _check(path: Path) -> None:
    try:
        if path.exists() and not (path.is_file() and _is_heartbeat(path)):
            raise BadInputError(f"{path} exists and is no heartbeat; give another file for it")
        if not path.parent.is_dir():
            raise BadInputError(f"{path.parent}, where the heartbeat is to be, is no folder; make it, or give another")
    except OSError as error:
        raise BadInputError(f"the heartbeat {path} cannot be written ({error.strerror}); give another file") from None


def _is_heartbeat(path: Path) -> bool:
    data = path.read_bytes()
    if not data:  # `touch`ed
        return True
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(values, dict) and values.get("type") == _TYPE


def _replace(path: Path, values: Mapping[str, Any]) -> None:
    """Write a file whole or not at all, over the one before."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps(values) + "\n", encoding="utf-8")
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
