"""The catalogue as an earlier run left it: to read, check and compile 40 files takes 60 ms, and their checks 40 ms of imports.

Rules of this file: every file is read each time, and what was kept is taken only where all of them are what they were, octet
for octet; so are the programs that made it. What has a mistake is never kept. There is one file for each list of folders and
resolvers, so the cache does not grow with every change.
"""

from __future__ import annotations

import copyreg
import hashlib
import io
import pickle
from collections.abc import Iterable, Sequence
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from classifier.catalogue.folders import KINDS, folder_path, signature_files
from classifier.catalogue.records import Catalogue
from classifier.kernels import cache as kept
from classifier.kernels.jit import CACHE_DIRECTORY
from classifier.kernels.signatures import Lookup

_PACKAGE = Path(__file__).resolve().parents[1]


def compiled_catalogue(
    folders: Sequence[Path | str], trusted_resolvers: Iterable[object] = ()
) -> tuple[Catalogue, Lookup]:
    """What `load_catalogue` gives for these folders and `compile_catalogue` for it; the same errors."""
    resolvers = tuple(map(str, trusted_resolvers))
    paths = tuple(folder_path(folder) for folder in folders)
    named = hashlib.blake2b(repr((list(map(str, paths)), resolvers)).encode(), digest_size=10).hexdigest()
    path = kept.ROOT / f"catalogue-{named}.kept"
    found = _contents(paths)
    content = kept.read(path)
    if content is not None and content.startswith(found):
        return pickle.loads(content[len(found) :])
    from classifier.catalogue.compile import compile_catalogue
    from classifier.catalogue.load import load_catalogue

    catalogue = load_catalogue(folders)
    lookup = compile_catalogue(catalogue, resolvers)
    if _contents(paths) == found:  # nobody changed them meanwhile
        kept.write(path, found + _pickled((catalogue, lookup)))
    return catalogue, lookup


def _contents(folders: Iterable[Path]) -> bytes:
    """A digest of all that the catalogue is made of: names and contents of its files, and the programs."""
    digest = hashlib.blake2b(_programs(), digest_size=kept.DIGEST_OCTETS)
    for folder in folders:
        for inside in (folder, *(folder / kind for kind in KINDS)):
            digest.update(b"\1" if inside.is_dir() else b"\0")
        for kind in KINDS:
            for file in signature_files(folder / kind):
                try:
                    content = file.read_bytes()
                except OSError:
                    content = b""  # an empty file is no signature either
                named = f"\0{file}\0{len(content)}\0"
                digest.update(named.encode(errors="surrogateescape") + content)
    return digest.digest()


@cache
def _programs() -> bytes:
    """A digest of what makes the catalogue of the files; that of the kernels has Python's and NumPy's versions in it, too."""
    digest = hashlib.blake2b(CACHE_DIRECTORY.name.encode(), digest_size=kept.DIGEST_OCTETS)
    for source in (*sorted(Path(__file__).parent.glob("*.py")), _PACKAGE / "validation.py"):
        digest.update(source.read_bytes())
    return digest.digest()


def _network(version: int, number: int, length: int) -> IPv4Network | IPv6Network:
    return (IPv4Network if version == 4 else IPv6Network)((number, length))


def _pickled(value: object) -> bytes:
    """A pickle with networks as numbers: read as text, as they pickle themselves, they take three times as long."""

    def reduced(network: IPv4Network | IPv6Network) -> tuple:
        return _network, (network.version, int(network.network_address), network.prefixlen)

    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, 5)
    pickler.dispatch_table = copyreg.dispatch_table | {IPv4Network: reduced, IPv6Network: reduced}
    pickler.dump(value)
    return buffer.getvalue()
