"""The site's keys on disk: made once, for nobody else, and never forgotten in public."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pbx_plugin.services.receipts import fingerprint_of
from pbx_plugin.storage.site_keys import PRIVATE, SiteKeyError, SiteKeys, read_public_key

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def keys(tmp_path: Path) -> SiteKeys:
    return SiteKeys(tmp_path / "keys")


def test_the_first_key_is_made_when_it_is_needed_and_stays(keys: SiteKeys) -> None:
    assert keys.all() == []
    first = keys.signer(NOON)
    assert keys.signer(NOON + timedelta(days=1)).public_key == first.public_key
    (public,) = keys.all()
    assert (public.since, public.in_use) == (NOON, True)
    assert public.fingerprint == fingerprint_of(first.public_key)
    assert read_public_key(public.pem.encode(), "pem") == first.public_key


def test_the_private_key_is_for_nobody_else(keys: SiteKeys, tmp_path: Path) -> None:
    keys.signer(NOON)
    folder = tmp_path / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE((folder / PRIVATE).stat().st_mode) == 0o600
    assert sorted(path.suffix for path in folder.iterdir() if path.name[0] != ".") == [".json", ".pem", ".pem"]


def test_many_who_need_the_first_key_at_once_get_the_same(keys: SiteKeys) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = {one.public_key for one in pool.map(lambda _: keys.signer(NOON), range(16))}
    assert len(made) == 1
    assert len(keys.all()) == 1


def test_after_a_rotation_the_new_key_signs_and_the_old_public_key_is_still_there(keys: SiteKeys) -> None:
    old = keys.signer(NOON).public_key
    fresh = keys.rotate(NOON + timedelta(days=1))
    assert [(key.fingerprint, key.in_use) for key in keys.all()] == [
        (fingerprint_of(old), False),
        (fresh.fingerprint, True),
    ]
    assert fingerprint_of(keys.signer(NOON).public_key) == fresh.fingerprint


def test_a_private_key_that_others_may_read_signs_nothing(keys: SiteKeys, tmp_path: Path) -> None:
    keys.signer(NOON)
    (tmp_path / "keys" / PRIVATE).chmod(0o644)
    with pytest.raises(SiteKeyError, match="chmod 600"):
        keys.signer(NOON)


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_broken_key_is_named_and_no_new_one_made_in_its_place(keys: SiteKeys, tmp_path: Path, content: bytes) -> None:
    keys.signer(NOON)
    path = tmp_path / "keys" / PRIVATE
    path.write_bytes(content)
    with pytest.raises(SiteKeyError):
        keys.signer(NOON)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(SiteKeyError, match="keys"):
        SiteKeys(tmp_path / "keys").signer(NOON)


def test_a_private_key_that_was_lost_is_not_replaced_by_itself(keys: SiteKeys, tmp_path: Path) -> None:
    keys.signer(NOON)
    (tmp_path / "keys" / PRIVATE).unlink()
    with pytest.raises(SiteKeyError, match="is gone"):
        keys.signer(NOON)
    assert len(keys.all()) == 1
    fresh = keys.rotate(NOON)
    assert fingerprint_of(keys.signer(NOON).public_key) == fresh.fingerprint


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_first_key_that_a_crash_broke_off_is_finished_by_the_next_look(
    keys: SiteKeys, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    written = iter(range(10))
    write = SiteKeys._write

    def crash(self: SiteKeys, *what: Any) -> None:
        write(self, *what)
        if next(written) + 1 == writes:
            raise KeyboardInterrupt

    monkeypatch.setattr(SiteKeys, "_write", crash)
    with pytest.raises(KeyboardInterrupt):
        keys.signer(NOON)
    signer = SiteKeys(keys._folder).signer(NOON)
    (public,) = keys.all()
    assert (public.in_use, public.fingerprint) == (True, fingerprint_of(signer.public_key))
