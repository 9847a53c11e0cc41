"""Where signatures lie: folders, and the files in them, in the order of their names."""

from __future__ import annotations

from pathlib import Path

import classifier

BUILTIN = "builtin"
APPLICATIONS, PROGRAMMES = KINDS = ("apps", "programmes")  # the folders in a signatures folder


def builtin_folder() -> Path:
    """The folder that ships with freeflow: inside the package when installed, beside it in a source tree."""
    package = Path(classifier.__file__).resolve().parent
    installed = package / "signatures"
    return installed if installed.is_dir() else package.parent / "signatures"


def folder_path(folder: Path | str) -> Path:
    """The folder of this name: "builtin" is the one that ships."""
    return builtin_folder() if folder == BUILTIN else Path(folder)


def signature_files(folder: Path) -> list[Path]:
    """The files in a folder of one kind, none where there is no such folder."""
    return sorted(folder.glob("*.toml"))
