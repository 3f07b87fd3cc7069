"""Pictures where looking beats reading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt


def confusion_matrix(table: npt.NDArray[np.intp], labels: Sequence[str], path: Path) -> None:
    """Write a confusion matrix, rows as shares of what was said, counts as numbers, as PNG."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    share = table / np.maximum(1, table.sum(axis=1, keepdims=True))
    figure, axes = plt.subplots(figsize=(7, 6), layout="constrained")
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("given")
    axes.set_ylabel("said")
    for (row, column), count in np.ndenumerate(table):
        if count:
            dark = share[row, column] > 0.5
            axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black", fontsize=8)
    figure.savefig(path, dpi=120)
    plt.close(figure)
