"""Installing puts a whole set in force or leaves everything as it was; the administrator's files stay untouched."""

import os
import stat
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from company_builder import company, generated
from pytest_mock import MockerFixture

from pbx_plugin.asterisk.install import KEPT_BACKUPS, NAMES, DialplanInstaller, InstallError, masked
from pbx_plugin.asterisk.load import LoadError, line_counts
from pbx_plugin.asterisk.render import version_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Asterisk:
    """Takes everything, or refuses the versions it is told to refuse; remembers what it was asked to load."""

    def __init__(self) -> None:
        self.loaded: list[tuple[tuple[str, ...], str | None]] = []
        self.refused: set[str | None] = set()

    def load(self, changed: Collection[str], files: Mapping[str, str]) -> None:
        self.loaded.append((tuple(changed), version_of(files)))
        if version_of(files) in self.refused:
            raise LoadError("Asterisk says no")


@pytest.fixture
def asterisk() -> Asterisk:
    return Asterisk()


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """An /etc/asterisk whose administrator has added the include lines."""
    folder = tmp_path / "etc"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(f'[general]\n#tryinclude "pbx-plugin.d/{name}"\n')
    return folder


@pytest.fixture
def installer(etc: Path, tmp_path: Path, asterisk: Asterisk) -> DialplanInstaller:
    return DialplanInstaller(etc, tmp_path / "state" / "backups", asterisk)


FIRST = generated(company())
SECOND = generated(company(queue="other"))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_first_install_writes_the_set_and_loads_it(
    installer: DialplanInstaller, etc: Path, asterisk: Asterisk
) -> None:
    done = installer.install(FIRST, NOON)
    assert installer.installed() == FIRST
    assert set(done.changed) == set(FIRST)
    assert asterisk.loaded == [(done.changed, version_of(FIRST))]
    assert {stat.S_IMODE(p.stat().st_mode) for p in (etc / "pbx-plugin.d").iterdir()} == {0o640}
    assert stat.S_IMODE((etc / "pbx-plugin.d").stat().st_mode) == 0o750


def test_the_administrators_files_are_not_touched(installer: DialplanInstaller, etc: Path) -> None:
    own = {name: ((etc / name).read_bytes(), (etc / name).stat().st_mtime_ns) for name in NAMES}
    (etc / "pbx-plugin.d").mkdir()
    (etc / "pbx-plugin.d" / "notes.txt").write_text("mine")
    installer.install(FIRST, NOON)
    installer.rollback()
    assert {name: ((etc / name).read_bytes(), (etc / name).stat().st_mtime_ns) for name in NAMES} == own
    assert (etc / "pbx-plugin.d" / "notes.txt").read_text() == "mine"


def test_installing_the_same_again_writes_and_loads_nothing(
    installer: DialplanInstaller, etc: Path, tmp_path: Path, asterisk: Asterisk
) -> None:
    installer.install(FIRST, NOON)
    before = everything(tmp_path)
    written = (etc / "pbx-plugin.d" / "extensions.conf").stat().st_mtime_ns
    done = installer.install(FIRST, NOON + timedelta(hours=1))
    assert done.changed == ()
    assert done.version == version_of(FIRST)
    assert everything(tmp_path) == before
    assert (etc / "pbx-plugin.d" / "extensions.conf").stat().st_mtime_ns == written
    assert len(asterisk.loaded) == 1


def test_only_what_changed_is_reloaded(installer: DialplanInstaller, asterisk: Asterisk) -> None:
    installer.install(FIRST, NOON)
    installer.install(SECOND, NOON + timedelta(hours=1))
    assert asterisk.loaded[1] == (("queues.conf", "extensions.conf"), version_of(SECOND))


def test_a_file_that_is_no_longer_generated_goes(installer: DialplanInstaller, etc: Path) -> None:
    installer.install(FIRST, NOON)
    without = generated(company(), pjsip=False)
    assert "pjsip.conf" in installer.install(without, NOON + timedelta(hours=1)).changed
    assert not (etc / "pbx-plugin.d" / "pjsip.conf").exists()


def test_what_asterisk_refuses_is_taken_back_and_the_earlier_set_is_loaded_again(
    installer: DialplanInstaller, tmp_path: Path, asterisk: Asterisk
) -> None:
    installer.install(FIRST, NOON)
    before = everything(tmp_path)
    asterisk.refused = {version_of(SECOND)}
    with pytest.raises(InstallError, match=r"Asterisk says no\. The earlier files are back in force"):
        installer.install(SECOND, NOON + timedelta(hours=1))
    assert everything(tmp_path) == before
    assert [version for _, version in asterisk.loaded] == [version_of(f) for f in (FIRST, SECOND, FIRST)]


def test_a_refused_first_install_leaves_no_files(installer: DialplanInstaller, etc: Path, asterisk: Asterisk) -> None:
    asterisk.refused = {version_of(FIRST)}
    with pytest.raises(InstallError):
        installer.install(FIRST, NOON)
    assert list((etc / "pbx-plugin.d").iterdir()) == []


def test_asterisk_away_puts_the_files_back_and_says_that_they_are_not_loaded(
    installer: DialplanInstaller, asterisk: Asterisk
) -> None:
    installer.install(FIRST, NOON)
    asterisk.refused = {version_of(FIRST), version_of(SECOND)}
    with pytest.raises(InstallError, match="back in place, but not loaded"):
        installer.install(SECOND, NOON + timedelta(hours=1))
    assert installer.installed() == FIRST


@pytest.mark.parametrize("moment", [1, 2, 3, 4])
def test_a_full_disk_in_the_middle_leaves_the_earlier_set(
    installer: DialplanInstaller, etc: Path, mocker: MockerFixture, moment: int
) -> None:
    installer.install(FIRST, NOON)
    before = everything(etc)
    real, calls = os.fsync, 0

    def fsync(handle: int) -> None:
        nonlocal calls
        if stat.S_ISREG(os.fstat(handle).st_mode):
            calls += 1
            if calls == len(FIRST) + moment:
                raise OSError(28, "No space left on device")
        real(handle)

    mocker.patch("os.fsync", fsync)
    with pytest.raises(InstallError, match="No space left"):
        installer.install(SECOND, NOON + timedelta(hours=1))
    assert everything(etc) == before


def test_without_an_include_line_nothing_is_written_and_the_line_is_named(
    installer: DialplanInstaller, etc: Path, tmp_path: Path
) -> None:
    (etc / "features.conf").write_text('[general]\n;#tryinclude "pbx-plugin.d/features.conf"\n')
    (etc / "queues.conf").unlink()
    before = everything(tmp_path)
    with pytest.raises(InstallError) as refused:
        installer.install(FIRST, NOON)
    assert f'#tryinclude "pbx-plugin.d/features.conf" to {etc}/features.conf' in str(refused.value)
    assert f"to {etc}/queues.conf" in str(refused.value)
    assert "extensions.conf" not in str(refused.value)
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    "line",
    [
        '#include "pbx-plugin.d/extensions.conf"',
        "#tryinclude pbx-plugin.d/extensions.conf ; ours",
        "  #tryinclude <pbx-plugin.d/extensions.conf>",
        "#tryinclude {etc}/pbx-plugin.d/extensions.conf",
        "#include local/*.conf",
    ],
)
def test_an_include_line_may_be_written_in_any_way_asterisk_reads(
    installer: DialplanInstaller, etc: Path, line: str
) -> None:
    (etc / "local").mkdir()
    (etc / "local" / "own.conf").write_text('#tryinclude "pbx-plugin.d/extensions.conf"\n')
    (etc / "extensions.conf").write_text("[general]\n" + line.replace("{etc}", str(etc)) + "\n")
    assert installer.missing_includes(FIRST) == {}


def test_files_that_include_each_other_end_the_search(installer: DialplanInstaller, etc: Path) -> None:
    (etc / "extensions.conf").write_text("#include extensions.conf\n")
    assert list(installer.missing_includes(FIRST)) == [etc / "extensions.conf"]


def test_rollback_goes_one_set_back_each_time(installer: DialplanInstaller, asterisk: Asterisk) -> None:
    installer.install(FIRST, NOON)
    installer.install(SECOND, NOON + timedelta(hours=1))
    assert installer.rollback().version == version_of(FIRST)
    assert installer.installed() == FIRST
    assert installer.rollback().version is None
    assert installer.installed() == {}
    assert asterisk.loaded[-1][1] is None
    with pytest.raises(InstallError, match="nothing to roll back to"):
        installer.rollback()


def test_a_rollback_that_asterisk_refuses_changes_nothing(
    installer: DialplanInstaller, tmp_path: Path, asterisk: Asterisk
) -> None:
    installer.install(FIRST, NOON)
    installer.install(SECOND, NOON + timedelta(hours=1))
    before = everything(tmp_path)
    asterisk.refused = {version_of(FIRST)}
    with pytest.raises(InstallError, match="back in force"):
        installer.rollback()
    assert everything(tmp_path) == before


def test_a_clock_set_back_does_not_change_the_order_of_rolling_back(installer: DialplanInstaller) -> None:
    sets = [generated(company(queue=f"q{n}")) for n in range(4)]
    for files, at in zip(sets, (NOON, NOON, NOON - timedelta(days=1), NOON), strict=True):
        installer.install(files, at)
    for files in reversed(sets[:3]):
        installer.rollback()
        assert installer.installed() == files


def test_the_last_ten_sets_are_kept(installer: DialplanInstaller, tmp_path: Path) -> None:
    for hour in range(KEPT_BACKUPS + 3):
        installer.install(generated(company(queue=f"q{hour}")), NOON + timedelta(hours=hour))
    kept = sorted(p.name for p in (tmp_path / "state" / "backups").iterdir() if p.is_dir())
    assert len(kept) == KEPT_BACKUPS
    assert kept[-1].startswith("20261123T00")
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "state" / "backups").rglob("*.conf")}
    assert modes == {0o640}


def test_what_would_change_is_shown_without_secrets(installer: DialplanInstaller) -> None:
    first = installer.diff(FIRST)
    assert "+exten => 101,1,Gosub(pbxrec-caller,s,1)" in first
    assert "0123456789abcdef" not in first
    installer.install(FIRST, NOON)
    assert installer.diff(FIRST) == ""
    changed = installer.diff(SECOND)
    assert "-[asked]\n" in changed
    assert "+[other]\n" in changed
    assert "pjsip.conf" not in changed


def test_a_changed_secret_is_told_but_not_shown(installer: DialplanInstaller) -> None:
    installer.install(FIRST, NOON)
    other = FIRST | {"pjsip.conf": FIRST["pjsip.conf"].replace("0123456789abcdef", "fedcba9876543210")}
    assert installer.diff(other) == "pbx-plugin.d/pjsip.conf: only secrets change\n"


def test_every_secret_is_masked() -> None:
    shown = masked("md5_cred = aa\npassword=bb\n secret => cc\nusername = anna\n")
    assert "bb" not in shown
    assert "aa" not in shown
    assert "cc" not in shown
    assert "username = anna" in shown


def test_a_file_that_is_not_ours_is_refused(installer: DialplanInstaller, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"\.\./extensions\.conf"):
        installer.install(FIRST | {"../extensions.conf": "x"}, NOON)
    assert not (tmp_path / "state").exists()


def test_an_asterisk_folder_that_cannot_be_read_is_told(tmp_path: Path, asterisk: Asterisk) -> None:
    (tmp_path / "etc" / "pbx-plugin.d" / "extensions.conf").mkdir(parents=True)
    (tmp_path / "etc" / "pbx-plugin.d" / "features.conf").write_bytes(b"\xff")
    with pytest.raises(InstallError, match="cannot be read"):
        DialplanInstaller(tmp_path / "etc", tmp_path / "backups", asterisk).installed()


def test_the_lines_of_each_context_are_counted_for_the_check() -> None:
    counted = line_counts(FIRST["extensions.conf"])
    assert counted["pbxrec-emergency"] == 8
    assert counted["pbxrec-version"] == 1
    assert counted["pbxrec-users"] == 0
