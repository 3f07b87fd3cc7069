"""`--list-devices` and `--list-models`."""

from __future__ import annotations

from dataclasses import asdict

from spotter.cli.common import put, say, writing
from spotter.cli.lines import print_json


def print_devices(*, as_json: bool) -> int:
    """Print the input devices; a star marks the default one."""
    from spotter.errors import MicrophoneError
    from spotter.sources.devices import input_devices
    from spotter.sources.portaudio import PORTAUDIO

    PORTAUDIO.load()  # bounded in time
    devices = input_devices()
    with writing():
        for device in devices:
            if as_json:
                print_json({"type": "device", **asdict(device)})
            else:
                put(str(device))
    if not devices:
        raise MicrophoneError("no input device found; connect a microphone, or give a recording with `--input FILE`")
    return 0


def print_models(*, as_json: bool) -> int:
    """Print the models that `--model` finds by name."""
    from spotter.model_folders import available_models

    models = available_models()
    if not models:
        say("no models found; give `--model` a model folder")
    with writing():
        for model in models:
            if as_json:
                print_json({"type": "model", **asdict(model), "folder": str(model.folder)})
            else:
                what = model.problem or f"{', '.join(model.keywords)} ({model.bytes / 1_000:.0f} kB)"
                put(f"{model.name}  {what}")
    return 0
