"""The terminal of a live run: the whole screen, redrawn in place, and given back as it was."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.text import Text

from classifier.reports.live_view import LiveView

PAINT = {
    "heading": "bold",
    "free": "green",
    "discount": "cyan",
    "charged": "yellow",
    "loss": "bold white on red",
    "notice": "yellow",
    "quiet": "dim",
}


class LiveScreen:
    """A context manager; `refresh` draws `view` at the size that the terminal has now."""

    def __init__(self, view: LiveView, console: Console) -> None:
        self._view, self._console = view, console
        # Without rich's own thread: it would draw in the middle of a batch, and keep the kernels waiting for Python.
        self._live = Live(self, console=console, screen=True, auto_refresh=False, redirect_stdout=False)

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def refresh(self) -> None:
        """Draw. OSError where the terminal is gone; rich would say nothing then."""
        if not self._console.is_terminal:
            raise OSError(errno.EIO, "the terminal is gone")
        self._live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        rows = self._view.rows(options.max_width, options.height or console.height)
        yield Text("\n").join(painted(row) for row in rows)


def painted(row: list[tuple[str, str]]) -> Text:
    """A row in colours."""
    text = Text.assemble(*((piece, PAINT.get(style, "")) for piece, style in row))
    text.no_wrap, text.overflow = True, "crop"
    return text
