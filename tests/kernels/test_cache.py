"""What a run left is read back as it was, or not at all. (Damage, and folders that cannot be used: test_jit.py.)"""

from __future__ import annotations

import os

from classifier.kernels import cache

NOBODY = 65534


def test_what_was_written_comes_back_under_its_own_name_alone(tmp_path):
    cache.write(tmp_path / "folder" / "one.kept", b"content")
    assert cache.read(tmp_path / "folder" / "one.kept") == b"content"
    (tmp_path / "folder" / "one.kept").rename(tmp_path / "folder" / "two.kept")
    assert cache.read(tmp_path / "folder" / "two.kept") is None
    assert cache.read(tmp_path / "folder" / "one.kept") is None


def test_what_another_user_wrote_is_not_taken(tmp_path, monkeypatch):
    path = tmp_path / "one.kept"
    cache.write(path, b"content")
    if os.geteuid() == 0:
        assert cache.read(path) == b"content"
        os.chown(path, NOBODY, NOBODY)
        assert cache.read(path) is None
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
        assert cache.read(path) == b"content"
        os.chown(path, 0, 0)  # root's is everybody's to take
        assert cache.read(path) == b"content"
    else:
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
        assert cache.read(path) is None
