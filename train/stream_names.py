"""Names of the kinds of streams, which the command line lists before anything heavy is loaded."""

from __future__ import annotations

from typing import Final

KINDS: Final = (
    "words",
    "speech-english",
    "speech-other",
    "speech-noise",
    "noise",
    "running",
    "together",
    "tensorflow",
    "mlperf",
)
