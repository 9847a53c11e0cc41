"""What a person sees while a command works: a bar for long files, and why the very first run takes so long.

Rules of this file: standard error only; a bar only where that is a terminal. Nothing is shown for what is over in a
second, so a mistake that is found at once stays one line.
"""

from __future__ import annotations

import sys
import threading
import time

from classifier.cli.output import say

SHOWN_AFTER_SECONDS = 1.0
COMPILING = "compiling the kernels for this machine, once; this takes half a minute or more"


class ProgressBar:
    """Called with (octets read, octets to read or None) after each batch; a context manager that takes the bar away."""

    def __init__(self, wanted: bool = True) -> None:
        self._wanted = wanted and sys.stderr is not None and sys.stderr.isatty()
        self._begun = time.monotonic()
        self._bar = None
        self._task = None

    def __call__(self, octets_read: int, octets_total: int | None) -> None:
        if not self._wanted:
            return
        if self._bar is None:
            if time.monotonic() - self._begun < SHOWN_AFTER_SECONDS:
                return
            self._show()
        self._bar.update(self._task, completed=octets_read, total=octets_total)

    def _show(self) -> None:
        from rich.console import Console  # only whoever waits a second waits for these
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("metering"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None)
        self._bar.start()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


class CompilationNotice:
    """A context manager that tells why nothing happens, if the kernels are not compiled yet and it takes a while."""

    def __enter__(self) -> CompilationNotice:
        from classifier.kernels import jit

        self._timer = None
        if not jit.COMPILED_BEFORE and not jit.JIT_DISABLED:
            self._timer = threading.Timer(SHOWN_AFTER_SECONDS, say, (COMPILING,))
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
