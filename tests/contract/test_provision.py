"""Getting an Asterisk, on machines of every kind: apt and Asterisk are played by small scripts."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pbx_plugin.sandbox.provision import OLD_END, ensure_asterisk, find_asterisk, tree_dir
from pbx_plugin.sandbox.provision_debian import ARCHIVE
from pbx_plugin.sandbox.provision_error import ProvisionError

APT = r"""#!/bin/sh
# Plays apt-get: MIRROR answers `indextargets`, TRUSTED is the keyring that fits the archive's signature.
words=
for word in "$@"; do case $word in APT::Status-Fd=*|-*) ;; *) words="$words $word" ;; esac; done
echo "$words" >>"$HERE/asked"
folder=$(dirname "$APT_CONFIG")
case $words in
*indextargets*) cat "$HERE/targets" ;;
*update*)
    [ ! -e "$folder/sources.list" ] || cat "$folder/sources.list" >>"$HERE/sources"
    [ ! -e "$folder/sources.list" ] || grep -q "signed-by=.*$TRUSTED" "$folder/sources.list" ||
        { echo "NO_PUBKEY 0123456789ABCDEF"; exit 100; } ;;
*download*) touch "debian-archive-keyring_2099_all.deb" ;;
*install*) sleep "${SLOW:-0}"; touch "$folder/archives/asterisk_22.deb" ;;
esac
"""

DPKG_DEB = r"""#!/bin/sh
# Plays dpkg-deb -x PACKAGE FOLDER.
case $2 in
*keyring*) mkdir -p "$3/usr/share/keyrings"; touch "$3/usr/share/keyrings/debian-archive-keyring.gpg"
    touch "$3/usr/share/keyrings/debian-archive-removed-keys.gpg" ;;
*) [ -z "${BROKEN:-}" ] || { echo "no space left" >&2; exit 2; }
    mkdir -p "$3/usr/lib/any-linux-gnu/asterisk/modules" "$3/usr/share/asterisk/documentation" \
        "$3/usr/share/asterisk/sounds/en_US_voice"
    touch "$3/usr/lib/any-linux-gnu/asterisk/modules/res_pjsip.so" "$3/usr/share/asterisk/documentation/core-en_US.xml"
    touch "$3/usr/sbin/asterisk"
    loader="$3/usr/lib/any-linux-gnu/ld-linux-any.so.2"
    # Packages of old: folders in place of the links, and a loader found by an absolute one.
    if [ -n "${UNMERGED:-}" ]; then
        rm "$3/lib" "$3/lib64"
        mkdir -p "$3/lib/any-linux-gnu" "$3/lib64"
        ln -s /lib/any-linux-gnu/ld-2.31.so "$3/lib64/ld-linux-any.so.2"
        loader="$3/lib/any-linux-gnu/ld-2.31.so"
    fi
    printf '#!/bin/sh\necho Asterisk %s~dfsg\n' "${VERSION:-22.10.1}" >"$loader"
    chmod +x "$loader" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with apt, a Debian mirror, current keys and no Asterisk; the folder its programs lie in."""
    programs = tmp_path / "bin"
    programs.mkdir()
    install(programs / "apt-get", APT)
    install(programs / "dpkg-deb", DPKG_DEB)
    (tmp_path / "targets").write_text("Debian\tDebian-Security\tmain\tsecurity\nDebian\tDebian\tmain\tmirror\n")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("HERE", str(tmp_path))
    monkeypatch.setenv("TRUSTED", "keyring")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pbx_plugin.sandbox.provision.OWN_PLACES", str(programs))
    return programs


def install(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)


def own_asterisk(programs: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    install(programs / "asterisk", f"#!/bin/sh\necho 'Asterisk {version}'\n")
    data = programs.parent / "own"
    (data / "usr/lib/asterisk/modules").mkdir(parents=True)
    (data / "usr/lib/asterisk/modules/res_pjsip.so").touch()
    (data / "var/lib/asterisk/documentation").mkdir(parents=True)
    (data / "var/lib/asterisk/documentation/core-en_US.xml").touch()
    monkeypatch.setattr("pbx_plugin.sandbox.provision.OWN_ROOT", data)


def test_the_machines_own_asterisk_is_taken_when_it_is_new_enough(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_asterisk(machine, monkeypatch, "certified/20.7-cert2")
    found = ensure_asterisk()
    assert (found.kind, found.version, found.command) == ("native", "20.7", (str(machine / "asterisk"),))
    assert not (machine.parent / "asked").exists()


def test_an_old_asterisk_is_passed_over_for_one_from_debian(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_asterisk(machine, monkeypatch, "18.26.4")
    assert find_asterisk() is None
    made = ensure_asterisk()
    assert (made.kind, made.version, made.root) == ("folder", "22.10.1", tree_dir())
    assert (made.data_dir / "sounds" / "en").is_dir()


def test_a_second_run_asks_nobody(machine: Path) -> None:
    ensure_asterisk()
    asked = (machine.parent / "asked").read_text()
    ensure_asterisk()
    assert (machine.parent / "asked").read_text() == asked


def test_packages_come_from_the_main_archive_never_from_security(machine: Path) -> None:
    said: list[str] = []
    ensure_asterisk(said.append)
    assert any("forky" in line for line in said)
    (machine.parent / "targets").write_text("Debian\tDebian-Security\tmain\tsecurity\nUbuntu\tUbuntu\tmain\tother\n")
    tree_dir().rename(machine.parent / "aside")
    with pytest.raises(ProvisionError, match="knows no Debian archive"):
        ensure_asterisk()


def test_keys_older_than_the_release_are_refreshed_from_the_machines_own_source(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUSTED", "/fresh/")
    assert ensure_asterisk().major == 22
    assert "download debian-archive-keyring" in (machine.parent / "asked").read_text()


def test_a_signature_nobody_vouches_for_is_refused_with_apts_own_words(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUSTED", "no/such/key")
    with pytest.raises(ProvisionError, match="NO_PUBKEY"):
        ensure_asterisk()
    assert not tree_dir().exists()


def test_a_run_cut_short_leaves_nothing_that_looks_finished(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKEN", "yes")
    with pytest.raises(ProvisionError, match="no space left"):
        ensure_asterisk()
    assert find_asterisk() is None
    left_over = tree_dir().parent / "asterisk.making-killed"
    (left_over / "tree").mkdir(parents=True)
    monkeypatch.delenv("BROKEN")
    ensure_asterisk()
    assert sorted(path.name for path in tree_dir().parent.iterdir()) == ["asterisk", "asterisk.lock"]


def test_two_at_once_fetch_it_once(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOW", "0.5")
    said: list[str] = []
    with ThreadPoolExecutor() as both:
        made = list(both.map(lambda _: ensure_asterisk(said.append), range(2)))
    assert made[0] == made[1]
    assert sum("waiting for it" in line for line in said) == 1
    assert (machine.parent / "asked").read_text().count(" install asterisk") == 1


def test_the_old_end_lies_beside_the_asterisk_of_today(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    today = ensure_asterisk()
    monkeypatch.setenv("VERSION", "16.28.0")
    old = ensure_asterisk(release=OLD_END)
    assert (old.version, old.root) == ("16.28.0", tree_dir(OLD_END))
    assert (today.root / "usr").is_dir()
    assert old.root != today.root
    assert "mirror bullseye main" in (machine.parent / "sources").read_text().splitlines()[-1]


def test_old_packages_run_though_they_are_laid_out_otherwise(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSION", "16.28.0")
    monkeypatch.setenv("UNMERGED", "yes")
    old = ensure_asterisk(release=OLD_END)
    loader = Path(old.command[0])
    assert loader.is_symlink()
    assert tree_dir(OLD_END) in loader.resolve().parents
    assert str(old.root / "usr/lib") in old.command[3].split(":")


def test_a_machines_own_asterisk_is_the_old_end_only_when_it_is_that_old(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_asterisk(machine, monkeypatch, "16.30.1")
    assert ensure_asterisk(release=OLD_END).kind == "native"
    assert find_asterisk() is None
    install(machine / "asterisk", "#!/bin/sh\necho 'Asterisk 18.26.4'\n")
    assert find_asterisk(OLD_END) is None


def test_another_version_than_the_one_that_was_asked_for_is_not_taken(machine: Path) -> None:
    with pytest.raises(ProvisionError, match="does not run there as version 16"):
        ensure_asterisk(release=OLD_END)


def test_an_archive_may_be_named_when_the_mirror_has_dropped_the_release(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.parent / "targets").write_text("")
    monkeypatch.setenv("VERSION", "16.28.0")
    monkeypatch.setenv(ARCHIVE, "the-archive")
    ensure_asterisk(release=OLD_END)
    assert all(" the-archive bullseye main" in line for line in (machine.parent / "sources").read_text().splitlines())


def test_keys_that_debian_has_put_aside_vouch_for_the_old_end_alone(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUSTED", "fresh/.*removed-keys")
    with pytest.raises(ProvisionError, match="NO_PUBKEY"):
        ensure_asterisk()
    monkeypatch.setenv("VERSION", "16.28.0")
    assert ensure_asterisk(release=OLD_END).major == 16


def test_without_a_network_it_is_said_what_could_help(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED", "no/such/key")
    with pytest.raises(ProvisionError, match=f"(?s)bullseye.*{ARCHIVE}.*NO_PUBKEY"):
        ensure_asterisk(release=OLD_END)


def test_a_machine_without_apt_is_told_so(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine.parent))
    with pytest.raises(ProvisionError, match="no apt"):
        ensure_asterisk()
