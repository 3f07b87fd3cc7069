"""What the doctor found: lines as it goes, or one JSON object at the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from spotter.cli.common import put, tell, writing
from spotter.cli.lines import print_json

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from typing_extensions import Self

_STYLES: Final = {"ok": "green", "warn": "yellow", "FAIL": "bold red", "": ""}


class Report:
    """Sections of lines, each good, a warning, a failure, or neither."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._values: dict[str, Any] = {"type": "doctor"}
        self._problems: list[dict[str, Any]] = []
        self._section = ""
        self._codes: set[int] = set()
        self._console: Console | None = None

    def __enter__(self) -> Self:
        if not self._as_json and sys.stdout.isatty():
            from rich.console import Console

            self._console = Console(highlight=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def begin(self, section: str, values: Any) -> None:
        """Begin a section; `values` is what JSON says of it."""
        self._values[section] = values
        self._section = section
        self._print("", section.replace("_", "-"), indent="")

    def line(self, text: str) -> None:
        """Say something that is neither good nor bad."""
        self._print("", text)

    def good(self, text: str) -> None:
        """Say that something is as it should be."""
        self._print("ok", text)

    def warn(self, text: str) -> None:
        """Say what harms, with what to do."""
        self._problems.append({"where": self._section, "severity": "warning", "message": text})
        self._print("warn", text)

    def fail(self, text: str, code: int) -> None:
        """Say what does not work, with what to do, and the exit code that this means."""
        self._problems.append({"where": self._section, "severity": "error", "message": text})
        self._codes.add(code)
        self._print("FAIL", text)

    def hint(self, text: str) -> None:
        """Tell the person who waits what is going on."""
        if self._console is not None:
            tell(text)

    def end(self) -> int:
        """Say how it stands; return the exit code: the model comes first, then the self-test, the microphone."""
        code = next((code for code in (4, 1, 3) if code in self._codes), 0)
        if self._as_json:
            print_json({**self._values, "problems": self._problems, "ok": code == 0, "exit_code": code})
            return code
        count = len(self._problems)
        self._print("", f"{count} problem{'s' if count != 1 else ''}" if count else "nothing is wrong", indent="")
        return code

    def _print(self, mark: str, text: str, indent: str = "  ") -> None:
        if self._as_json:
            return
        begin = f"{indent}{mark:5}" if indent else ""
        with writing():
            if self._console is None:
                put(f"{begin}{text}")
                return
            from rich.text import Text

            line = Text()
            line.append(begin, _STYLES[mark])
            line.append(text, "" if indent else "bold")
            self._console.print(line, soft_wrap=True)
