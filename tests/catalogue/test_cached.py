"""What an earlier run left of a catalogue is what reading and compiling give, and never older than its files."""

from __future__ import annotations

import pickle
from ipaddress import ip_network
from pathlib import Path

import numpy as np
import pytest

from classifier.catalogue import cached
from classifier.catalogue import load as loading
from classifier.catalogue.cached import compiled_catalogue
from classifier.catalogue.compile import compile_catalogue
from classifier.catalogue.load import load_catalogue
from classifier.errors import ConfigurationError

APP = 'name = "shop"\ndomains = ["shop.example"]\naddresses = ["192.0.2.0/24", "2001:db8::/32"]\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of signatures with one application, and a cache of this test's own."""
    monkeypatch.setattr(cached.kept, "ROOT", tmp_path / "cache")
    write(tmp_path / "signatures" / "apps" / "shop.toml", APP)
    return tmp_path / "signatures"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def kept_files(folder: Path) -> list[Path]:
    return sorted((folder.parent / "cache").glob("*"))


def must_not_read(monkeypatch) -> None:
    def read(_folders):
        raise AssertionError("files are checked though nothing has changed")

    monkeypatch.setattr(loading, "load_catalogue", read)


def leaves(value: object) -> list:
    """The arrays and numbers in named tuples, in order, as what can be compared."""
    if isinstance(value, tuple):
        return [leaf for one in value for leaf in leaves(one)]
    return [(value.dtype.str, value.shape, value.tobytes())] if isinstance(value, np.ndarray) else [int(value)]


@pytest.mark.parametrize("resolvers", [(), ("192.0.2.53", ip_network("2001:db8:53::/48"))])
def test_what_ships_is_the_same_read_and_kept(folder, resolvers, monkeypatch):
    catalogue = load_catalogue()
    lookup = compile_catalogue(catalogue, resolvers)
    first = compiled_catalogue(("builtin",), resolvers)
    must_not_read(monkeypatch)
    second = compiled_catalogue(("builtin",), resolvers)
    for its_catalogue, its_lookup in (first, second):
        assert its_catalogue == catalogue
        assert type(its_lookup) is type(lookup)
        assert leaves(its_lookup) == leaves(lookup)
    assert all(
        array.flags.writeable == twin.flags.writeable for array, twin in zip(lookup[1:3], second[1][1:3], strict=True)
    )


def test_a_file_that_changes_comes_or_goes_is_noticed(folder):
    def names():
        return [(one.name, one.domains) for one in compiled_catalogue((folder,))[0].applications]

    assert names() == [("shop", ("shop.example",))]
    write(folder / "apps" / "shop.toml", APP.replace("shop.example", "shop.invalid"))
    assert names() == [("shop", ("shop.invalid",))]
    write(folder / "apps" / "films.toml", 'name = "films"\ndomains = ["films.example"]\n')
    assert [name for name, _ in names()] == ["films", "shop"]
    (folder / "apps" / "films.toml").unlink()
    assert names() == [("shop", ("shop.invalid",))]
    assert len(kept_files(folder)) == 1


def test_a_mistake_is_told_each_time_and_kept_never(folder):
    compiled_catalogue((folder,))
    write(folder / "apps" / "shop.toml", APP + "colour = 1\n")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="colour"):
            compiled_catalogue((folder,))
    write(folder / "apps" / "shop.toml", APP)
    assert compiled_catalogue((folder,))[0].applications[0].name == "shop"


def test_an_empty_folder_that_goes_is_missed(folder, tmp_path):
    (tmp_path / "more" / "apps").mkdir(parents=True)
    compiled_catalogue((folder, tmp_path / "more"))
    (tmp_path / "more" / "apps").rmdir()
    for missing in ("neither apps/ nor programmes/", "no such folder"):
        with pytest.raises(ConfigurationError, match=missing):
            compiled_catalogue((folder, tmp_path / "more"))
        (tmp_path / "more").rmdir() if (tmp_path / "more").exists() else None


def test_other_folders_and_other_resolvers_are_kept_apart(folder, tmp_path):
    write(tmp_path / "other" / "apps" / "shop.toml", APP.replace("shop.example", "other.example"))
    assert compiled_catalogue((folder,))[0] != compiled_catalogue((tmp_path / "other",))[0]
    assert compiled_catalogue((folder, tmp_path / "other"))[0].applications[0].domains == ("other.example",)
    assert compiled_catalogue((tmp_path / "other", folder))[0].applications[0].domains == ("shop.example",)
    trusted = [leaves(compiled_catalogue((folder,), resolvers)[1].trusted) for resolvers in ((), ("192.0.2.53",))]
    assert trusted[0] != trusted[1]
    assert len(kept_files(folder)) == 5


def test_a_file_that_is_changed_while_it_is_read_is_not_kept_as_what_it_was(folder, monkeypatch):
    def read(folders):
        write(folder / "apps" / "shop.toml", APP.replace("shop.example", "shop.invalid"))
        return load_catalogue(folders)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(loading, "load_catalogue", read)
        compiled_catalogue((folder,))
    write(folder / "apps" / "shop.toml", APP)
    assert compiled_catalogue((folder,))[0].applications[0].domains == ("shop.example",)


@pytest.mark.parametrize(
    "damage", [lambda kept: kept[:-1], lambda kept: kept[:40] + b"x" + kept[41:], lambda kept: b""]
)
def test_what_is_not_whole_is_made_anew(folder, damage):
    twin = compiled_catalogue((folder,))[0]
    (file,) = kept_files(folder)
    file.write_bytes(damage(file.read_bytes()))
    assert compiled_catalogue((folder,))[0] == twin


def test_what_other_programs_made_is_made_anew(folder, monkeypatch):
    compiled_catalogue((folder,))
    monkeypatch.setattr(cached, "_programs", lambda: b"others")
    calls = []
    monkeypatch.setattr(pickle, "loads", lambda content: calls.append(content))
    assert compiled_catalogue((folder,))[0].applications[0].name == "shop"
    assert calls == []


def test_a_cache_that_cannot_be_written_costs_time_alone(folder, monkeypatch):
    (folder.parent / "cache").write_text("a file where a folder should be")
    for _ in range(2):
        assert compiled_catalogue((folder,))[0].applications[0].name == "shop"
