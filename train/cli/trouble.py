"""What goes wrong outside of this program, as one sentence: a full disk, a folder without rights, a missing library."""

from __future__ import annotations

import errno
import re
import sys

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Not everything that writes says which error it was: HDF5 and TensorFlow put it into their text, numpy counts.
_FULL_TEXT = re.compile(
    r"no space left on device|errno = 28|disk quota exceeded|\d+ requested and \d+ written", re.IGNORECASE
)
_LIBRARIES = ("tensorflow", "keras", "scipy", "matplotlib", "sklearn", "h5py", "pocketsphinx")


def sentence(error: Exception) -> str | None:
    """Say what is wrong and what to do; None where the error is one of this program's own."""
    if isinstance(error, ModuleNotFoundError):
        return _missing(error.name or "")
    chain: BaseException | None = error
    while chain is not None:
        if (isinstance(chain, OSError) and chain.errno in _FULL) or _FULL_TEXT.search(str(chain)):
            name = getattr(chain, "filename", None)
            where = f" on the disk of {name}" if name else ""
            return f"no space left{where}; free some and run the same command again"
        chain = chain.__cause__ or chain.__context__
    if isinstance(error, PermissionError) and error.filename:
        return (
            f"{error.filename} may not be read or written ({error.strerror}); change its rights or give another place"
        )
    return None


def _missing(name: str) -> str | None:
    library = name.partition(".")[0]
    if library not in _LIBRARIES:
        return None
    if library in ("tensorflow", "keras") and sys.version_info >= (3, 14):
        return f"{library} is missing, and has no wheel for this Python; install Python 3.13 and 'spotter-kws[train]'"
    return f"{library} is missing; install it with: pip install 'spotter-kws[train]'"
