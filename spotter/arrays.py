"""The one array type that flows through the project."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
"""float32 samples (full scale is -1..1), frames or scores; each docstring gives the shape."""
