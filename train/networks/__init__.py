"""The candidates, one file each; the registry names them for recipes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spotter.errors import BadInputError


def network(name: str, options: Mapping[str, Any]) -> Any:
    """Return the sizes of a network; its `build` makes the Keras model."""
    if name == "temporal":
        from train.networks.temporal import Temporal

        try:
            sizes: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
            return Temporal(**sizes)
        except TypeError as error:
            raise BadInputError(f"network {name!r}: {error}; see train/networks/temporal.py for its options") from None
    raise BadInputError(f"no network called {name!r}; there is: temporal")
