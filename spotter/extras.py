"""Packages that only some uses need: what to install where one is missing."""

from __future__ import annotations

import importlib.util

from spotter.errors import SpotterError


def want(module: str, extra: str, what: str, package: str = "") -> None:
    """Go on only where an optional package is installed; it is not imported.

    Parameters
    ----------
    module : str
        Its import name.
    extra : str
        Of ours, which brings it.
    what : str
        That needs it, as it begins a sentence.
    package : str
        Its distribution, where that has another name.

    Raises
    ------
    SpotterError
        It is missing.
    """
    if importlib.util.find_spec(module) is None:
        raise SpotterError(
            f'{what} needs the package {package or module}, which is missing; run `pip install "spotter-kws[{extra}]"`'
        )
