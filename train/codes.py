"""What may be said at a moment: sets of labels, as numbers."""

from __future__ import annotations

import numpy as np

from spotter.settings import SILENCE, UNKNOWN


class Codes:
    """Numbers for sets of labels that may be given; `table[code]` says which labels are allowed."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        n = len(labels)
        self.unknown, self.silence = labels.index(UNKNOWN), labels.index(SILENCE)
        self.near, self.nothing = n, 2 * n  # near + label
        table = np.zeros((2 * n + 1, n), np.float32)
        table[:n] = np.eye(n)
        table[n : 2 * n] = np.eye(n)
        table[n:, [self.unknown, self.silence]] = 1.0
        self.table = table
