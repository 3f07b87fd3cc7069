"""Hears keywords in a microphone's stream, a file, or samples in hand.

    source ──blocks──▶ ring ──▶ resample ──▶ windows ──▶ model ──scores──▶ decoder ──▶ events
    microphone, file   fixed    16 kHz       frontend,    LiteRT or        smoothing,   Detection,
    PCM, memory        memory   mono         1 s each     numpy            threshold …  Gap, DeviceLost …
    └ audio thread ──────┘└──────────────── consumer thread ─────────────────────────────┘

    >>> import spotter
    >>> listener = spotter.Listener()
    >>> @listener.on("yes", "no")
    ... def heard(detection):
    ...     print(detection.keyword, detection.score)
    >>> listener.run()  # until Ctrl-C

The public names are loaded when first used: importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spotter.errors import BadInputError as BadInputError
    from spotter.errors import MicrophoneError as MicrophoneError
    from spotter.errors import ModelError as ModelError
    from spotter.errors import SpotterError as SpotterError
    from spotter.events import Detection as Detection
    from spotter.events import DeviceBack as DeviceBack
    from spotter.events import DeviceLost as DeviceLost
    from spotter.events import Gap as Gap
    from spotter.events import Skipped as Skipped
    from spotter.listener import Listener as Listener
    from spotter.model import Model as Model
    from spotter.pipeline import Spotter as Spotter
    from spotter.recorded import spot as spot
    from spotter.settings import DecoderConfig as DecoderConfig
    from spotter.settings import FrontendConfig as FrontendConfig
    from spotter.streams import Streams as Streams

__version__ = "0.1.0"

_HOME = {
    "BadInputError": "errors",
    "DecoderConfig": "settings",
    "Detection": "events",
    "DeviceBack": "events",
    "DeviceLost": "events",
    "FrontendConfig": "settings",
    "Gap": "events",
    "Listener": "listener",
    "MicrophoneError": "errors",
    "Model": "model",
    "ModelError": "errors",
    "Skipped": "events",
    "Spotter": "pipeline",
    "SpotterError": "errors",
    "Streams": "streams",
    "spot": "recorded",
}

__all__ = sorted([*_HOME, "__version__"])  # noqa: PLE0605 - the names above


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'spotter' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"spotter.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
