"""Recordings as `Model.predict` hears them, of any length and sooner: a stream form takes many frames at once.

Measuring asks for the scores of thousands of clips under dozens of conditions.
"""

from __future__ import annotations

import numpy as np

from spotter.arrays import Floats
from spotter.frontend import Frontend
from spotter.manifest import STREAM_NETWORK, WINDOW_NETWORK
from spotter.model import Model
from spotter.network import open_network
from spotter.scorers import AFTER_S, TOGETHER_S, most_telling
from spotter.settings import SAMPLE_RATE
from spotter.stream_form import StreamForm

_AT_ONCE = 96  # frames, to a whole number of the network's steps


class Hearing:
    """Hears recordings alone in silence, one after the other; each as if it were the first.

    Equal to `Model.predict` to 1e-4, which a test says.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._frontend = Frontend(model.frontend)
        self._stride = model.step // model.frontend.hop_samples
        self._smooth = max(1, round(TOGETHER_S * SAMPLE_RATE / model.step))
        self._window = model.window_scorer()
        self._at_once = self._stride * max(1, _AT_ONCE // self._stride)
        self._stream: StreamForm | None = None
        if model.network == WINDOW_NETWORK and STREAM_NETWORK in model.manifest["files"]:
            data = (model.folder / STREAM_NETWORK).read_bytes()
            self._stream = StreamForm(open_network(data, model.backend, self._at_once), self._at_once)

    def scores(self, recording: Floats) -> Floats:
        """Scores of the moment that says most about a recording, float32, shape (labels,)."""
        return most_telling(self.windows(recording), self.model.labels, self.model.keywords, self._smooth)

    def moment(self, scores: Floats) -> tuple[Floats, float]:
        """The same from the scores of all windows, and where it ends, in seconds of the recording."""
        step_s = self.model.step / SAMPLE_RATE
        ends = np.arange(1, len(scores) + 1, dtype=np.float32) * np.float32(step_s)
        # Times go along as one more column, and are averaged as the scores are.
        smooth = min(self._smooth, len(scores))
        told = most_telling(np.column_stack((scores, ends)), self.model.labels, self.model.keywords, smooth)
        return told[:-1], float(told[-1]) + (smooth - 1) / 2 * step_s

    def windows(self, recording: Floats) -> Floats:
        """Scores of all windows, one each step; the first ends a step after the recording begins.

        Parameters
        ----------
        recording : float32, shape (samples,)
            At 16 kHz, any length.

        Returns
        -------
        float32, shape (windows, labels)
        """
        context = self.model.context
        samples = np.zeros(context + len(recording) + round(AFTER_S * SAMPLE_RATE), np.float32)
        samples[context : context + len(recording)] = recording
        frames = self._frontend(samples)
        count = (len(frames) - self.model.context_frames) // self._stride
        if self._stream is None:
            starts = range(self._stride, (count + 1) * self._stride, self._stride)
            size = self.model.context_frames
            return np.stack([self._window.score(frames[at : at + size], size).copy() for at in starts])
        return self._streamed(self._stream, frames[: self.model.context_frames + count * self._stride])[-count:]

    def _streamed(self, form: StreamForm, frames: Floats) -> Floats:
        """Scores of all that ends in `frames`; the first ones hold what lies before them: nothing."""
        before = np.zeros((-len(frames) % form.frames, frames.shape[1]), np.float32)
        frames = np.concatenate((before, frames))
        out, state = [], form.silence
        for at in range(0, len(frames), form.frames):
            scores, state = form.advance(frames[at : at + form.frames], state)
            out.append(scores)
        return np.concatenate(out)
