"""Signatures folders -> one catalogue, or every mistake in all of them.

Rules of this file: a later folder replaces what has the same name in an earlier one. Files are read in the order of
their names, so the same folders give the same catalogue and the same list of problems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from classifier.catalogue.check import cross_check
from classifier.catalogue.files import read_application
from classifier.catalogue.folders import APPLICATIONS, BUILTIN, KINDS, PROGRAMMES, folder_path, signature_files
from classifier.catalogue.programme_files import read_programme
from classifier.catalogue.records import Application, Catalogue, Programme
from classifier.errors import ConfigurationError
from classifier.validation import did_you_mean

_READERS: dict[str, Callable] = {APPLICATIONS: read_application, PROGRAMMES: read_programme}


def load_catalogue(folders: Sequence[Path | str] = (BUILTIN,)) -> Catalogue:
    """The catalogue in `folders`, each a path or "builtin".

    Raises ConfigurationError with one line per mistake: every mistake of every file, and between files.
    """
    problems: list[str] = []
    merged: dict[str, dict[str, Application | Programme]] = {kind: {} for kind in KINDS}
    unread: set[str] = set()
    for folder in folders:
        path = folder_path(folder)
        for kind, records in _read_folder(path, problems, unread).items():
            merged[kind] |= records
    applications, programmes = (tuple(merged[kind][name] for name in sorted(merged[kind])) for kind in KINDS)
    problems.extend(cross_check(applications, programmes, unread))
    if problems:
        raise ConfigurationError(problems)
    return Catalogue(applications, programmes)


def load_programmes(folder: Path | str, known_applications: Iterable[str]) -> tuple[Programme, ...]:
    """The programmes alone, of a signatures folder or of a folder of their files, sorted by name.

    They may cover `known_applications`, and what has a file under `apps/` beside them. Raises ConfigurationError with one line
    per mistake.
    """
    path = folder_path(folder)
    inside = path / PROGRAMMES if (path / PROGRAMMES).is_dir() else path
    problems: list[str] = []
    found = _read_files(inside, read_programme, problems, set())
    if not found and not problems:
        problems.append(f"{folder}: no programmes in it; name a folder with their files, or with programmes/ in it")
    known = sorted({*known_applications, *(file.stem for file in signature_files(path / APPLICATIONS))})
    for programme in found.values():
        for name in () if programme.applications == "*" else programme.applications:
            if name not in known:
                near = did_you_mean(name, known)
                problems.append(f'{programme.file}: applications: there is no application "{name}"; {near}')
    if problems:
        raise ConfigurationError(problems)
    return tuple(found[name] for name in sorted(found))


def _read_folder(path: Path, problems: list[str], unread: set[str]) -> dict[str, dict[str, Application | Programme]]:
    """The records of one folder by kind and name. The names of files that give no record go into `unread`."""
    found: dict[str, dict[str, Application | Programme]] = {}
    if not path.is_dir():
        problems.append(f"{path}: no such folder; name one with apps/ and programmes/ in it")
        return found
    if not any((path / kind).is_dir() for kind in KINDS):
        problems.append(f"{path}: neither apps/ nor programmes/ in it; put the files into these")
    for kind, read in _READERS.items():
        found[kind] = _read_files(path / kind, read, problems, unread)
    return found


def _read_files(folder: Path, read: Callable, problems: list[str], unread: set[str]) -> dict:
    """The records of the files in a folder by name. The names of files that give no record go into `unread`."""
    records: dict[str, Application | Programme] = {}
    for file in signature_files(folder):
        record = read(file, problems)
        if record is None:
            unread.add(file.stem)
            continue
        if record.name in records:
            other = records[record.name].file
            problems.append(f'{file}: name: "{record.name}" is the name in {other} too; give it another')
        records[record.name] = record
    return records
