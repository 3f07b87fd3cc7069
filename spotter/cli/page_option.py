"""`spotter listen --page`: what is heard, as it is heard, in a browser."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spotter.cli.common import say, tell

if TYPE_CHECKING:
    from spotter.events import Event
    from spotter.listener import Listener
    from spotter.model import Model
    from spotter.page.server import Server
    from spotter.page.shown import Shown

_DEFAULT: Final = "127.0.0.1:7768"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    group = parser.add_argument_group("a live page")
    group.add_argument(
        "--page",
        nargs="?",
        const=_DEFAULT,
        metavar="ADDRESS:PORT",
        help="show waveform, spectrogram, scores and events in a browser, which may try other settings; without an "
        f"address on {_DEFAULT}, which other machines do not reach",
    )


def outlet(options: argparse.Namespace, model: Model) -> Page | None:
    """Return what the options ask for, if anything."""
    if options.page is None:
        return None
    from spotter.errors import BadInputError

    if options.input not in (None, "-"):
        raise BadInputError(
            f"--page is for a microphone or `--input -`, a recording is over at once; `spotter page {options.input}` "
            "shows it"
        )
    return Page(options.page, model, None if options.save is None else Path(options.save))


class Page:
    """Serves the page while listening goes on.

    Parameters
    ----------
    address : str
        Where, as `spotter.page.checks.read_address` reads it.
    model : Model
        What hears.
    clips : Path, optional
        Where clips of what is marked go; left out, the user's own folder.
    """

    def __init__(self, address: str, model: Model, clips: Path | None) -> None:
        from spotter.extras import want

        want("websockets", "page", "the page")
        from spotter.page.checks import read_address

        self.host, self.port = read_address(address)
        self._model, self._clips = model, clips
        self._shown: Shown | None = None
        self._server: Server | None = None

    def begin(self, listener: Listener) -> None:
        """Serve, and say where."""
        from spotter.page.checks import is_loopback
        from spotter.page.marks import user_clips_folder
        from spotter.page.server import Server
        from spotter.page.shown import Shown

        self._shown = Shown(listener, self._model, self._clips or user_clips_folder())
        self._server = Server(self._shown, self.host, self.port)
        self._server.start()
        if not is_loopback(self.host):
            say(
                f"warning: other machines reach the page on {self.host}, and what the microphone hears then travels "
                "in clear; leave the address out unless everybody on that network may listen"
            )
        tell(f"page: {self._server.url}")

    def hear(self, event: Event) -> None:
        """Take an event."""
        if self._shown is not None:
            self._shown.kept.hear(event)

    def end(self) -> None:
        """Let viewers go."""
        if self._server is not None:
            self._server.stop()
