"""Words and phrases that everybody says, and those that a listener may be asked to tell a word from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from train.near_words import read_words

COMMON: Final = Path(__file__).with_name("common_words.txt")
SHIPPED: Final = ("down", "go", "left", "no", "right", "stop", "up", "yes")  # heard by models/commands
ASSISTANTS: Final = {  # other devices answer to these
    "alexa": "Amazon's devices",
    "echo": "Amazon's devices",
    "computer": "Amazon's devices, where they are set so,",
    "amazon": "Amazon's devices, where they are set so,",
    "ziggy": "Amazon's devices, where they are set so,",
    "hey google": "Google's devices",
    "ok google": "Google's devices",
    "okay google": "Google's devices",
    "siri": "Apple's devices",
    "hey siri": "Apple's devices",
    "cortana": "Microsoft's devices",
    "hi bixby": "Samsung's devices",
}


def common() -> list[str]:
    """Everyday words and phrases, each once."""
    lines = (line for line in COMMON.read_text("utf-8").splitlines() if not line.startswith("#"))
    entries = (" ".join(entry.split()) for entry in ",".join(lines).split(","))
    everyday = [word for word in read_words().everyday if word not in _NAMES]
    return list(dict.fromkeys([*(entry for entry in entries if entry), *everyday]))


_NAMES: Final = frozenset(("alexa", "google", "siri", "jarvis"))  # of assistants: not what people say to each other
