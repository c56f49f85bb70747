"""What a killed run left in the spool goes at the next start, if the books say that it is settled, and only then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from pbx_plugin.domain.naming import Sense, spool_file, spool_name
from pbx_plugin.storage.tidy import tidy_spool

AT = datetime(2026, 11, 22, tzinfo=UTC)
STATES = ("starting", "recording", "closed", "stored", "failed", "erased")


def media(number: int) -> str:
    return str(UUID(int=number, version=5))


def files_of(spool: Path, number: int) -> list[Path]:
    files = [spool / spool_file(spool_name(media(number), AT, sense)) for sense in Sense]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"sound")
    return files


def test_files_of_settled_segments_go_and_all_others_stay(tmp_path: Path) -> None:
    known = dict(zip((media(number) for number in range(1, 7)), STATES, strict=True))
    files = {number: files_of(tmp_path, number) for number in range(1, 9)}

    def states(ids: Collection[str]) -> Mapping[str, str]:
        assert media(8) not in ids, "it is in use"
        return {one: known[one] for one in ids if one in known}

    with capture_logs() as logs:
        gone = tidy_spool(tmp_path, states, {media(8)})
    assert len(gone) == 6
    left = {number for number, found in files.items() if any(file.exists() for file in found)}
    assert left == {1, 2, 3, 7, 8}
    (told,) = [line for line in logs if line["log_level"] == "error"]
    assert all(media(7) in path for path in told["files"])
    assert tidy_spool(tmp_path, states, {media(8)}) == ()


@pytest.mark.parametrize("folder", ["", "pbxrec"])
def test_an_empty_spool_asks_nobody(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    assert tidy_spool(tmp_path, lambda ids: pytest.fail(f"asked for {ids}"), ()) == ()
