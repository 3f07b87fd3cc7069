"""One browser: what it asks for, and what is new for it.

It has a place in what is kept, not a queue: what waits for one that reads slowly is what all share, and one message
in its socket. Of sound that it is far behind with it loses a part; nobody else notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spotter.errors import BadInputError
from spotter.events import Detection, Event
from spotter.page.marks import clip
from spotter.page.messages import Mark, MessageError, Play, Save, Try, pack, read, read_token
from spotter.page.shown import Shown, told
from spotter.page.whatif import Replay, Replayed
from spotter.settings import SAMPLE_RATE

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

    from spotter.page.kept import Rows

_log = logging.getLogger(__name__)

_TICK_S: Final = 0.05
_IDLE_TICK_S: Final = 0.25  # after the end of a recording
_STATUS_S: Final = 1.0
_TOKEN_S: Final = 5.0
_AT_ONCE_COLUMNS: Final = 1_000
_GO_ON_COLUMNS: Final = 100  # so many before the end, after some were lost
_FAR_BEHIND_S: Final = 10.0
_AT_ONCE_ROWS: Final = 500  # some milliseconds of work, then other viewers have their turn
_MOST_TOLD: Final = 5_000
_MALFORMED, _FAILED, _NO_TOKEN = 1008, 1011, 4401  # codes of closing


class Viewer:
    """Serves one connection."""

    def __init__(self, shown: Shown, connection: ServerConnection) -> None:
        self._shown, self._connection = shown, connection
        self._wanted: Try | None = None  # None: the settings in use
        self._replay: Replay | None = None
        self._wake = asyncio.Event()
        self._event = self._notice = self._column = 0
        self._caught_up = False  # has had all columns once
        self._finished = False
        self._failure: Exception | None = None  # of ours, while sending
        self._status: dict[str, Any] = {}
        self._status_at = 0.0
        self._told: OrderedDict[tuple[str, int], tuple[float, float]] = OrderedDict()  # score and threshold

    async def knows(self, token: str) -> bool:
        """Whether it begins with the token; else it is sent away."""
        first = ""
        with contextlib.suppress(MessageError, asyncio.TimeoutError):
            first = read_token(await asyncio.wait_for(self._connection.recv(), _TOKEN_S))
        known = hmac.compare_digest(first.encode(errors="replace"), token.encode())
        if not known:
            await self._connection.close(_NO_TOKEN, "wrong token")
        return known

    async def run(self) -> None:
        """Serve until it goes."""
        sending = asyncio.ensure_future(self._keep_sending())
        try:
            async for message in self._connection:
                await self._answer(read(message, self._shown.model.keywords))
        except MessageError as error:
            _log.warning("a viewer of the page sent what no page of ours sends (%s); its connection was closed", error)
            await self._connection.close(_MALFORMED, "malformed message")
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            if self._failure is not None:
                raise self._failure

    async def _answer(self, message: Try | Save | Play | Mark) -> None:
        shown = self._shown
        try:
            if isinstance(message, Try):
                self._wanted, self._replay = message, None
            elif isinstance(message, Play):
                begin, samples = clip(shown.kept, message.time_sample)
                await self._connection.send(
                    pack({"type": "audio", "time": message.time_sample, "begin": begin}, samples=samples)
                )
            elif isinstance(message, Save):
                shown.tell(await asyncio.to_thread(shown.save, message.wanted))
            else:
                # Only what it was told of can be marked: nobody fills the disk with other clips.
                known = self._told.get((message.keyword, message.time_sample))
                if known is not None:
                    shown.tell(await asyncio.to_thread(shown.mark, message, *known))
        except BadInputError as error:
            await self._send({"type": "error", "message": str(error)})
        self._wake.set()

    async def _keep_sending(self) -> None:
        """Send until it goes; what fails otherwise ends the connection, or it would show nothing new for ever."""
        from websockets.exceptions import ConnectionClosed

        try:
            await self._send_all()
        except ConnectionClosed:
            raise
        except Exception as error:  # noqa: BLE001  raised where the connection is served
            self._failure = error
            await self._connection.close(_FAILED, "the page failed")

    async def _send_all(self) -> None:
        self._notice = self._shown.noticed
        await self._send(self._shown.greeting())
        while True:
            self._wake.clear()
            more = await self._send_news()
            if more:
                await asyncio.sleep(0)  # sending alone may not let others have their turn
            else:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _IDLE_TICK_S if self._shown.over else _TICK_S)

    async def _send_news(self) -> bool:
        """Send what is new; return whether there is more at once."""
        over = self._shown.over  # before looking, so that nothing comes after it
        await self._send_happened()
        replay = self._replay
        if replay is None or replay.next > self._shown.kept.windows:
            await self._send_anew()
        else:
            await self._send_rows(replay, over=over)
        more = await self._send_columns()
        await self._send_status()
        return more

    async def _send_anew(self) -> None:
        """Decide all that is kept with the settings that are wanted, unless they change meanwhile."""
        wanted, kept = self._wanted, self._shown.kept
        replay, rows = self._shown.replay(wanted), kept.rows()
        parts = []
        for at in range(0, len(rows), _AT_ONCE_ROWS):
            parts.append(replay.go_on(rows.part(at, at + _AT_ONCE_ROWS)))
            await asyncio.sleep(0)
            if self._wanted is not wanted:
                return
        self._replay, self._finished = replay, False
        await self._send_replayed(rows, parts, anew=True)

    async def _send_rows(self, replay: Replay, *, over: bool) -> None:
        rows = self._shown.kept.rows(replay.next)
        last = over and not self._finished
        if len(rows) or last:
            part = replay.go_on(rows)
            if last:
                self._finished = True
                part.found.extend(replay.finish())
            await self._send_replayed(rows, [part], anew=False)

    async def _send_replayed(self, rows: Rows, parts: list[Replayed], *, anew: bool) -> None:
        found = [told(explanation) for part in parts for explanation in part.found]
        for one in found:
            self._remember(one["keyword"], one["time"], one["score"] or 0.0, one["threshold"])
        keywords = len(self._shown.columns)
        nothing = Replayed(np.zeros((0, keywords), np.float32), np.zeros(0, np.float32), [])
        parts = parts or [nothing]
        number = self._wanted.number if self._wanted else 0
        await self._connection.send(
            pack(
                {"type": "rows", "first": rows.first, "anew": anew, "number": number, "found": found},
                ends=rows.ends.astype(np.float64),
                levels=rows.levels_dbfs.astype(np.float32),
                share=np.concatenate([part.noise_share for part in parts]),
                scores=rows.scores[:, self._shown.columns],
                smoothed=np.concatenate([part.smoothed for part in parts]),
            )
        )

    async def _send_columns(self) -> bool:
        picture, lost = self._shown.picture, 0
        behind = self._shown.kept.end // picture.hop_samples - self._column
        if self._caught_up and behind * picture.hop_samples > _FAR_BEHIND_S * SAMPLE_RATE:
            lost = behind - _GO_ON_COLUMNS
            self._column += lost
        more = picture.follow(_AT_ONCE_COLUMNS)
        while more and picture.end <= self._column:
            await asyncio.sleep(0)
            more = picture.follow(_AT_ONCE_COLUMNS)
        first, wave, spectrogram = picture.columns(self._column, _AT_ONCE_COLUMNS)
        if len(wave) or first < self._column:
            header = {"type": "columns", "first": first, "lost": lost}
            await self._connection.send(pack(header, wave=wave, spectrogram=spectrogram))
        self._column = first + len(wave)
        more = more or self._column < picture.end
        self._caught_up = self._caught_up or not more
        return more

    async def _send_happened(self) -> None:
        """Send events and notices."""
        kept = self._shown.kept
        number, self._event = self._event, kept.events
        events = kept.events_from(number) if kept.events > number else []
        if events:
            await self._send({"type": "events", "events": [self._happened(event) for event in events]})
        missed, self._notice = self._shown.noticed - self._notice, self._shown.noticed
        for notice in list(self._shown.notices)[-missed:] if missed else ():
            await self._send(notice)

    def _happened(self, event: Event) -> dict[str, Any]:
        if isinstance(event, Detection):
            self._remember(
                event.keyword, event.time_sample, event.score, self._shown.in_use.threshold_of(event.keyword)
            )
            return {
                "type": "detection",
                "keyword": event.keyword,
                "score": round(event.score, 4),
                "time": event.time_sample,
                "start": event.start_sample,
                "end": event.end_sample,
            }
        return {**event.as_dict(), "time": event.time_sample}

    def _remember(self, keyword: str, time_sample: int, score: float, threshold: float) -> None:
        self._told[keyword, time_sample] = score, threshold
        while len(self._told) > _MOST_TOLD:
            self._told.popitem(last=False)

    async def _send_status(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._status_at >= _STATUS_S or self._shown.over != self._status.get("over"):
            status, self._status_at = self._shown.status(), now
            if status != self._status:
                self._status = status
                await self._send(status)

    async def _send(self, values: dict[str, Any]) -> None:
        await self._connection.send(json.dumps(values, allow_nan=False))
