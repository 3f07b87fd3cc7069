"""Calls of PortAudio, each bounded in time: a sound system that hangs holds up nobody.

PortAudio is one per process, and so is what guards it: `PORTAUDIO`. A sound server that has stalled was seen to block
an open for 30 s, initialising for 60 s, closing for 110 s, and as long the interpreter's exit; while such a call
blocks, Python serves no Ctrl-C in that thread. So calls run on daemon threads, and each is waited for so long
at most; one that hangs is left behind, and cleans up after itself should it ever return.
"""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from spotter.errors import MicrophoneError
from spotter.sources.devices import load_sounddevice
from spotter.stderr import given_back, settled, without_chatter

OPEN_LIMIT_S: Final = 10.0
_GATE_S: Final = 0.5
# A server that has stalled frees all calls when it goes on or is killed, so no more are piled up on it. One that
# died at the wrong moment leaves a start hanging for ever (seen with PortAudio 19.6 on ALSA); that must not add up
# to a process that can never hear again.
_MOST_HUNG: Final = 4
_FORGIVEN_S: Final = 600.0
_MOST_EVER: Final = 64
_IDLE_S: Final = 0.5
_SLICE_S: Final = 0.1  # waits are cut, so that Ctrl-C is served on Windows too
# Refusals are written in the first moments. Longer stderr is not held back: what others write there would be
# late, or lost if the process ends meanwhile.
_CHATTER_S: Final = 0.5
_CHATTER: Final = (
    *(b"ALSA lib ", b"Expression ", b"PaAlsa", b"||PaMacCore"),
    *(b"Cannot connect to server ", b"jack server is not running", b"JackShmReadWritePtr"),
)

_T = TypeVar("_T")


class PortAudio:
    """Runs calls, one at a time since PortAudio is not made for several threads, and knows what is open."""

    def __init__(self) -> None:
        self._gate = threading.Lock()  # held during a call; one that hangs is overtaken soon
        self._listing = threading.Lock()  # held while devices are listed anew, which nothing may overtake
        self._lock = threading.Lock()  # of what follows
        self._calls: set[_Call] = set()  # not returned
        self._idle: list[_Worker] = []  # threads that wait for a call
        self._streams: dict[int, tuple[object, Callable[[], bool]]] = {}  # open, and whether audio comes from them
        self._guarded: Any = None  # the module whose exit is guarded

    @property
    def hangs(self) -> bool:
        """Whether a call has not returned; the process should then end with `os._exit`."""
        with self._lock:
            return bool(self._calls)

    def run(
        self,
        function: Callable[[], _T],
        limit_s: float,
        *,
        late: Callable[[Any], object] | None = None,
        stderr: contextlib.AbstractContextManager[None] | None = None,
        always: bool = False,
    ) -> _T:
        """Return what a call returns, or raise what it raises.

        Parameters
        ----------
        late : callable, optional
            Is given the result if it comes when nobody waits any more; runs in the call's thread.
        stderr : context manager, optional
            What holds during its first moments: `quiet()`, or `spotter.stderr.given_back()`.
        always : bool
            However many calls hang: for what is open already, since nobody would close it later.

        Raises
        ------
        TimeoutError
            It has not returned in time, or too many calls hang already.
        MicrophoneError
            The system has no thread to give.
        """
        with self._lock:
            newest = time.monotonic() - _FORGIVEN_S
            recent = sum(call.began_s > newest for call in self._calls)
            if not always and (recent >= _MOST_HUNG or len(self._calls) >= _MOST_EVER):
                raise TimeoutError(f"{len(self._calls)} calls before it hang")
            worker = self._worker()
            call = _Call(function)
            if worker is not None:
                self._calls.add(call)
        if worker is None:
            if always:
                return function()
            raise MicrophoneError("the system starts no more threads; end programs that have many")
        begun = False
        try:
            with stderr or contextlib.nullcontext():  # before the call begins, since it may put something in its place
                begun = True
                worker.calls.put(call)
                call.wait(min(limit_s, _CHATTER_S))
            call.wait(limit_s - _CHATTER_S)
        except BaseException:
            if not begun:
                self._settled(call, worker)
            call.abandon(late)
            raise
        if call.abandon(late):
            raise TimeoutError(f"no answer within {limit_s:g} s")
        if call.error is not None:
            raise call.error
        result: _T = call.result
        return result

    def load(self) -> Any:
        """Return sounddevice; the first time this initialises PortAudio.

        Raises
        ------
        MicrophoneError
            It is missing, does not start, or does not answer.
        """
        loaded = sys.modules.get("sounddevice")
        if loaded is None or getattr(getattr(loaded, "__spec__", None), "_initializing", False):
            try:
                loaded = self.run(load_sounddevice, OPEN_LIMIT_S, stderr=given_back())
            except TimeoutError:
                raise _unanswered() from None
        if loaded is not self._guarded:
            self._guarded = loaded
            self._guard_exit(loaded)
        return loaded

    def refresh(self, sounddevice: Any) -> bool:
        """List the devices anew, which PortAudio does only when initialised: what was plugged in later is there then.

        That ends every stream of the process, so it is done only while none of ours is open and no other call goes on.
        """
        try:
            return self.run(lambda: self._refresh(sounddevice), OPEN_LIMIT_S, stderr=quiet())
        except TimeoutError:
            raise _unanswered() from None
        except sounddevice.PortAudioError as error:
            raise MicrophoneError(f"PortAudio does not start ({error}); check the system's sound") from None

    def opened(self, stream: object, alive: Callable[[], bool]) -> None:
        """Take note of a stream; `alive` says whether audio comes from it."""
        with self._lock:
            self._streams[id(stream)] = stream, alive

    def closed(self, stream: object) -> None:
        """Take note that it is closed."""
        with self._lock:
            self._streams.pop(id(stream), None)

    def _refresh(self, sounddevice: Any) -> bool:
        with self._lock:
            if self._streams or len(self._calls) > 1:
                return False
            self._listing.acquire()  # free, since whoever has it is among the calls
        try:
            self._list_anew(sounddevice)
        finally:
            self._listing.release()
        return True

    def _list_anew(self, sounddevice: Any) -> None:
        with contextlib.suppress(sounddevice.PortAudioError):  # it was not initialised: the last time failed
            sounddevice._terminate()  # noqa: SLF001  nothing public does it
        library = getattr(sounddevice, "_lib", None)
        if library is None:
            sounddevice._initialize()  # noqa: SLF001
        else:  # what that does, but for sending all of stderr nowhere meanwhile, what others say there included
            sounddevice._check(library.Pa_Initialize(), "Error initializing PortAudio")  # noqa: SLF001
            sounddevice._initialized += 1  # noqa: SLF001

    def _worker(self) -> _Worker | None:
        if self._idle:
            return self._idle.pop()
        try:
            return _Worker(self._gate, self._listing, self._settled, self._retires)
        except RuntimeError:  # can't start new thread
            return None

    def _settled(self, call: _Call, worker: _Worker) -> None:
        with self._lock:
            self._calls.discard(call)
            self._idle.append(worker)

    def _retires(self, worker: _Worker) -> bool:
        with self._lock:
            if worker not in self._idle:
                return False  # a call is on its way
            self._idle.remove(worker)
            return True

    def _guard_exit(self, sounddevice: Any) -> None:
        """Let the interpreter end although the sound system hangs; sounddevice would wait for it."""
        handler = getattr(sounddevice, "_exit_handler", None)
        if handler is None:
            return

        def leave() -> None:
            with self._lock:
                stalled = self._calls or not all(alive() for _, alive in self._streams.values())
                streams = [stream for stream, _ in self._streams.values()]
            if stalled:
                settled()
                _keep(sounddevice._lib, sounddevice._ffi, *streams)  # noqa: SLF001
            else:
                handler()

        atexit.unregister(handler)
        atexit.register(leave)


class _Call:
    """One call, and what becomes of its result."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.began_s = time.monotonic()
        self._function = function
        self._lock = threading.Lock()
        self._returned = threading.Event()
        self._late: Callable[[Any], object] | None = None

    def wait(self, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not self._returned.is_set() and (left := deadline - time.monotonic()) > 0:
            self._returned.wait(min(_SLICE_S, left))

    def abandon(self, late: Callable[[Any], object] | None) -> bool:
        """Leave it alone, unless it has returned; whether it had not."""
        with self._lock:
            if self._returned.is_set():
                return False
            self._late = late or _nothing
            return True

    def compute(self) -> None:
        try:
            self.result = self._function()
        except BaseException as error:  # noqa: BLE001  raised again by the caller's thread
            self.error = error
        self._function = _nothing  # it may hold a whole listener

    def hand_over(self, settled: Callable[[], None]) -> None:
        with self._lock:
            late = self._late
            if late is None:
                settled()  # before it shows, so that the next call finds all as it should be
            self._returned.set()
        if late is not None:
            with contextlib.suppress(Exception):
                if self.error is None:
                    late(self.result)
            settled()


class _Worker:
    """A daemon thread for calls; it ends when none comes for a while, or never if one hangs."""

    def __init__(
        self,
        gate: threading.Lock,
        listing: threading.Lock,
        settled: Callable[[_Call, _Worker], None],
        retires: Callable[[_Worker], bool],
    ) -> None:
        self.calls: SimpleQueue[_Call] = SimpleQueue()
        self._gate, self._listing, self._settled, self._retires = gate, listing, settled, retires
        threading.Thread(target=self._work, name="spotter-portaudio", daemon=True).start()

    def _work(self) -> None:
        _enter_com()
        while True:
            try:
                call = self.calls.get(timeout=_IDLE_S)
            except Empty:
                if self._retires(self):
                    return
                continue
            got = self._gate.acquire(timeout=_GATE_S)
            with self._listing:
                pass
            call.compute()
            call.hand_over(partial(self._settled, call, self))  # a late one is tidied up after behind the gate, too
            if got:
                self._gate.release()
            del call  # what it returned is its caller's


PORTAUDIO: Final = PortAudio()


def _keep(*objects: object) -> None:
    """Never free these: the threads of a stream that stays open run in them until the process is gone."""
    import ctypes

    increase = ctypes.pythonapi.Py_IncRef
    increase.argtypes, increase.restype = [ctypes.py_object], None
    for it in objects:
        increase(it)


def quiet() -> contextlib.AbstractContextManager[None]:
    """Keep what PortAudio and ALSA write about refusals from stderr; we say it in one line of our own."""
    return without_chatter(lambda line: not line.strip() or line.lstrip().startswith(_CHATTER))


def _nothing(*_: object) -> None:
    pass


def _unanswered() -> MicrophoneError:
    return MicrophoneError(f"the sound system does not answer within {OPEN_LIMIT_S:g} s; restart it")


def _enter_com() -> None:
    """Windows opens WASAPI devices only in threads that have called this (PortAudio issue 250).

    It is not undone when the thread ends: what was opened in it lives on.
    """
    if sys.platform == "win32":
        import ctypes

        if (windows := getattr(ctypes, "windll", None)) is not None:
            windows.ole32.CoInitializeEx(None, 0)  # many threads use what one has opened
