"""A web server that shows browsers what is heard, as it is heard, by server-sent events.

    python examples/web_server.py                           # the default microphone; then open the address it prints
    python examples/web_server.py --input talk.flac

`async for detection in listener` is one task among others of the loop; every browser has another. Only the standard
library, and only programs of this machine can connect.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from collections import deque

import spotter
from spotter.sources.files import AudioFile

PAGE = b"""<!doctype html><meta charset="utf-8"><title>spotter</title><h1>What is heard</h1><ol id="list"></ol><script>
new EventSource("/events").onmessage = message => {
  const heard = JSON.parse(message.data), item = document.createElement("li");
  item.textContent = `${heard.time.toFixed(2)} s ${heard.keyword} ${heard.score.toFixed(2)}`;
  document.getElementById("list").append(item);
};
</script>"""


class Server:
    """What was heard last, and whoever wants to know."""

    def __init__(self) -> None:
        self.heard: deque[tuple[int, str]] = deque(maxlen=100)  # numbered from 1
        self._news = asyncio.Condition()

    async def listen(self, listener: spotter.Listener) -> None:
        """Tell of each detection."""
        number = 0
        async for detection in listener:
            number += 1
            async with self._news:
                self.heard.append((number, json.dumps(detection.as_dict())))
                self._news.notify_all()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Give a browser the page, or the events as they come."""
        try:
            request = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            if request.startswith(b"GET /events "):
                await self._follow(writer)
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + PAGE)
                await writer.drain()
        except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError):
            pass  # it has gone, or is no browser
        except asyncio.CancelledError:
            pass  # the server ends
        finally:
            writer.close()

    async def _follow(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n")
        told = 0
        while True:
            async with self._news:
                while not (new := [(number, text) for number, text in self.heard if number > told]):
                    await self._news.wait()
            writer.write("".join(f"data: {text}\n\n" for _, text in new).encode())
            await writer.drain()  # a slow browser holds up nobody else, and misses what is no longer kept
            told = new[-1][0]


async def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Shows browsers what is heard.")
    parser.add_argument("--input", help="a recording instead of the microphone")
    parser.add_argument("--port", type=int, default=8000, help="default: %(default)s; 0: any that is free")
    options = parser.parse_args()
    server = Server()
    web = await asyncio.start_server(server.answer, "127.0.0.1", options.port)
    host, port = web.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}/", flush=True)
    source = AudioFile(options.input) if options.input else None
    async with web:
        await asyncio.gather(server.listen(spotter.Listener(source=source)), web.serve_forever())


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
