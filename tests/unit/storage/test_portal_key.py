"""The key that seals second factors: made once, for its owner only, and opening nothing that is not its own."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pbx_plugin.services.account_records import SealError
from pbx_plugin.storage.portal_key import NAME, PortalKey


def test_what_was_sealed_opens_for_the_same_account_only(tmp_path: Path) -> None:
    key = PortalKey(tmp_path / "keys")
    sealed = key.seal("SECRET", "anna")
    assert "SECRET" not in sealed
    assert sealed != key.seal("SECRET", "anna")
    assert PortalKey(tmp_path / "keys").open(sealed, "anna") == "SECRET"
    with pytest.raises(SealError):
        key.open(sealed, "bo")


def test_the_key_is_not_for_others(tmp_path: Path) -> None:
    key = PortalKey(tmp_path / "keys")
    sealed = key.seal("SECRET", "anna")
    path = tmp_path / "keys" / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o640)
    with pytest.raises(SealError, match=r"portal\.key may be read by others \(640\): chmod 600 it"):
        key.open(sealed, "anna")


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    PortalKey(tmp_path / "keys")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sealed", ["", "junk", "AAAA", "A" * 200, "ø"])
def test_what_was_not_sealed_by_us_does_not_open(tmp_path: Path, sealed: str) -> None:
    key = PortalKey(tmp_path / "keys")
    key.seal("SECRET", "anna")
    with pytest.raises(SealError, match="another key"):
        key.open(sealed, "anna")


def test_a_file_that_is_no_key_and_a_folder_that_cannot_be_made_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / NAME).write_bytes(b"short")
    (folder / NAME).chmod(0o600)
    with pytest.raises(SealError, match="is no key: it has 5 bytes"):
        PortalKey(folder).seal("SECRET", "anna")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SealError, match="file"):
        PortalKey(tmp_path / "file" / "keys").seal("SECRET", "anna")


def test_portals_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    def seal(_: int) -> str:
        return PortalKey(tmp_path / "keys").seal("SECRET", "anna")

    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(seal, range(8)))
    assert {PortalKey(tmp_path / "keys").open(one, "anna") for one in sealed} == {"SECRET"}
