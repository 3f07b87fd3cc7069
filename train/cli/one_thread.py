"""One thread for numpy's BLAS, for steps whose products wait for memory: further threads only wait with it."""

from __future__ import annotations

import os
import sys
from typing import Final

_NAME: Final = "OPENBLAS_NUM_THREADS"  # numpy's wheels for Linux and Windows; on macOS Accelerate decides by itself


def one_blas_thread() -> None:
    """Let BLAS keep to one thread, unless the user set how many; it reads this once, when numpy is loaded.

    A head for ten recordings took 18 CPU seconds so and 45 with two threads, 22 and 49 by the clock.
    """
    if "numpy" not in sys.modules:
        os.environ.setdefault(_NAME, "1")
