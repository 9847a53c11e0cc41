"""Where results and messages go: standard output or a file, and standard error.

Rules of this file: results go to `Output` alone, messages to standard error alone. A file appears under its name when
it is complete and not before; that it can be written is found out before any work is done.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from classifier.errors import ConfigurationError
from classifier.reports.columns import Line
from classifier.reports.words import printable

WIDTH_WITHOUT_TERMINAL = 80
_PAINT = {"heading": "bold", "subscriber": "bold", "free": "green", "notice": "yellow"}


def say(message: str) -> None:
    """One line on standard error."""
    if sys.stderr is not None:
        print(f"freeflow: {printable(message)}", file=sys.stderr)


class Output:
    """A context manager around the results' place: `path`, or standard output where it is None.

    Leaving it without an exception puts the file into place; with one nothing is left behind. `inputs` are files that
    must not be overwritten. Raises ConfigurationError if nothing can be written there.
    """

    def __init__(self, path: str | None, inputs: Sequence[str] = ()) -> None:
        self._path = path
        self._temporary: str | None = None
        if path is None:
            if sys.stdout is None:
                raise ConfigurationError("standard output is closed; name a file with -o")
            self._stream: TextIO = sys.stdout
            if hasattr(self._stream, "reconfigure"):
                self._stream.reconfigure(errors="backslashreplace")
            return
        for name in inputs:
            if os.path.exists(path) and os.path.exists(name) and os.path.samefile(path, name):
                raise ConfigurationError(f"{path}: is both read and written; name another file with -o")
        try:
            self._stream = self._open_file(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigurationError(f"{path}: cannot be written ({reason}); name another file with -o") from None

    def _open_file(self, path: str) -> TextIO:
        target = os.path.realpath(path)
        mode = stat.S_IMODE(os.stat(target).st_mode) if os.path.isfile(target) else None
        if os.path.exists(target) and (mode is None or not os.access(target, os.W_OK)):
            # A device or a pipe is written in place; a folder, or a file that is not ours to write, refuses.
            return open(target, "w", encoding="utf-8", newline="")
        folder, name = os.path.split(target)
        temporary = os.path.join(folder, f".{name}.{os.getpid()}.part")
        stream = open(temporary, "x", encoding="utf-8", newline="")  # noqa: SIM115 (`__exit__` closes it)
        self._temporary, self._path = temporary, target
        if mode is not None:
            os.chmod(temporary, mode)
        return stream

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._path is None:
            if kind is None:
                self._stream.flush()
            return
        try:
            self._stream.close()
            if kind is None and self._temporary is not None:
                os.replace(self._temporary, self._path)
                self._temporary = None
        finally:
            if self._temporary is not None:
                os.unlink(self._temporary)

    @property
    def is_terminal(self) -> bool:
        return self._stream.isatty()

    @property
    def width(self) -> int:
        """Columns to fill: the terminal's, or those of an ordinary one where this is none."""
        if self._path is not None:
            return WIDTH_WITHOUT_TERMINAL
        import shutil  # it brings four compression libraries along

        return shutil.get_terminal_size((WIDTH_WITHOUT_TERMINAL, 24)).columns

    def write(self, pieces: Iterable[str]) -> None:
        """Write text as it is."""
        self._stream.writelines(pieces)

    def write_lines(self, lines: Iterable[Line]) -> None:
        """Write lines, painted if this is a terminal."""
        if not self.is_terminal:
            self._stream.writelines(f"{line.text}\n" for line in lines)
            return
        from rich.console import Console  # 0.1 s that only a terminal has to wait for
        from rich.text import Text

        console = Console(file=self._stream, highlight=False, soft_wrap=True)
        for line in lines:
            console.print(Text(line.text, style=_PAINT.get(line.style, "")))

    def flush(self) -> None:
        """Let what was written be seen."""
        self._stream.flush()
