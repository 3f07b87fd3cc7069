"""Where `spotter listen` sends events besides standard output: each an option, none may hold it up."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from spotter.cli import exec_option, mqtt_option, page_option

if TYPE_CHECKING:
    from spotter.events import Event
    from spotter.listener import Listener
    from spotter.model import Model


class Outlet(Protocol):
    """Takes events in the thread of the command; one that has a `see(moment)` is shown each window's decision too."""

    def begin(self, listener: Listener) -> None:
        """Get ready, before listening starts."""

    def hear(self, event: Event) -> None:
        """Take an event; must not wait."""

    def end(self) -> None:
        """Let go of everything, within two seconds; also when `begin` failed."""


class Kind(Protocol):
    """A module with one kind of outlet."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say which options there are."""

    def outlet(self, options: argparse.Namespace, model: Model) -> Outlet | None:
        """Return what the options ask for, if anything."""


KINDS: Sequence[Kind] = (exec_option, mqtt_option, page_option)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    for kind in KINDS:
        kind.add_arguments(parser)


def wanted(options: argparse.Namespace, model: Model) -> list[Outlet]:
    """Return what the options ask for."""
    found = (kind.outlet(options, model) for kind in KINDS)
    return [outlet for outlet in found if outlet is not None]
