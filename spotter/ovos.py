"""A wake-word plugin for OVOS (Open Voice OS), whose listener finds it by its entry point, `ovos-ww-plugin-spotter`.

In mycroft.conf, all but `module` optional:

    "listener": {"wake_word": "hey_robot"},
    "hotwords": {
      "hey_robot": {
        "module": "ovos-ww-plugin-spotter",
        "model": "mine",
        "keyword": "hey_robot",
        "threshold": 0.8,
        "listen": true
      }
    }

`model` is a name or a folder; `keyword` is one of the model's; left out, it is the hotword's own name. The listener
sends 16 kHz, 16-bit, mono.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spotter.errors import BadInputError
from spotter.events import Detection
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.settings import with_threshold

if TYPE_CHECKING:

    class HotWordEngine:
        """What OVOS expects of a plugin's class."""

else:
    try:
        from ovos_plugin_manager.templates.hotwords import HotWordEngine
    except ImportError:  # the class works without OVOS, too
        HotWordEngine = object

_SAMPLE_BYTES = 2
_MOST_BYTES = 8_000  # worked through at once, a quarter of a second


class SpotterHotWord(HotWordEngine):
    """One hotword of the listener.

    Parameters
    ----------
    key_phrase : str
        The hotword's name in the configuration.
    config : mapping, optional
        Its settings: `model`, `keyword`, `threshold`.

    Raises
    ------
    BadInputError
        The model has no such keyword, or the threshold is out of range.
    ModelError
        The model cannot be used.
    """

    def __init__(self, key_phrase: str = "", config: dict[str, Any] | None = None, lang: str = "", **_: object) -> None:
        # The template's own constructor takes other arguments in each version, and reads a configuration.
        self.key_phrase, self.config, self.lang = str(key_phrase).lower(), config or {}, lang
        model = _model(self.config.get("model"))
        self.keyword = _keyword(model, self.config.get("keyword"), self.key_phrase)
        decoder = with_threshold(model.decoder, self.config.get("threshold"), model.keywords)
        self._spotter = Spotter(model, decoder=decoder)
        self._odd = b""  # half a sample, of which the rest comes
        self._found = False

    def update(self, chunk: bytes) -> None:
        """Take audio, 16-bit little-endian."""
        audio = self._odd + bytes(chunk)
        whole = len(audio) - len(audio) % _SAMPLE_BYTES
        self._odd = audio[whole:]
        for at in range(0, whole, _MOST_BYTES):
            samples = np.frombuffer(audio[at : min(whole, at + _MOST_BYTES)], "<i2").astype(np.float32)
            self._spotter.write(samples / np.float32(32_768.0))
            for event in self._spotter.events():
                self._found |= isinstance(event, Detection) and event.keyword == self.keyword

    def found_wake_word(self, frame_data: object = None) -> bool:  # noqa: ARG002  older versions give audio again
        """Whether the keyword was heard since it was last asked."""
        found, self._found = self._found, False
        return found

    def reset(self) -> None:
        """Forget what was heard, and the audio before."""
        self._spotter.reset()
        self._odd, self._found = b"", False

    def stop(self) -> None:
        """Let go of everything; nothing runs beside."""

    def shutdown(self) -> None:
        """Do as `stop`."""
        self.stop()


def _model(wanted: object) -> Model:
    if wanted is not None and not isinstance(wanted, str):
        raise BadInputError(f'"model" is {wanted!r}; give a model\'s name or folder, or leave it out')
    return Model.open(wanted or "commands")


def _keyword(model: Model, wanted: object, key_phrase: str) -> str:
    if wanted is not None:
        if wanted not in model.keywords:
            raise BadInputError(f"{model.name} has no keyword {wanted!r}; give one of {', '.join(model.keywords)}")
        return str(wanted)
    name = key_phrase.replace(" ", "_")
    for keyword in model.keywords:
        if keyword.lower() == name:
            return keyword
    raise BadInputError(
        f'{model.name} has no keyword {key_phrase!r}; add "keyword" to its settings: {", ".join(model.keywords)}'
    )
