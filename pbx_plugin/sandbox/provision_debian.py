"""Makes an Asterisk out of Debian's packages, in a folder, without root and without installing anything.

apt itself does the work, with a state, a cache and a source list of its own: it finds out what Asterisk needs, fetches
it from the mirror that the machine already uses, and checks the archive's signatures. The packages are unpacked, never
configured: no maintainer script runs.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pbx_plugin.sandbox.provision_error import ProvisionError

ARCHIVE = "PBX_PLUGIN_DEBIAN_ARCHIVE"
"""The environment's word for a Debian archive to use in place of the machine's own mirror: mirrors drop old releases.
Signatures are checked as ever."""

KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
REMOVED_KEYRINGS = ("debian-archive-removed-keys.gpg", "debian-archive-removed-keys.pgp")
"""Keys of releases that Debian no longer looks after. They vouch for such a release only."""

UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/perl")

Say = Callable[[str], None]


def unpack_asterisk(
    tree: Path, suites: Sequence[str], names: Sequence[str], say: Say, *, retired: bool = False
) -> None:
    """Make `tree` a folder with Asterisk and every library it needs; returns at once when `tree` exists.

    `names` are the packages to have; they bring what they need. `suites` are Debian's releases in the order they are
    tried; `retired` ones may be signed with keys Debian has put aside.

    The folder gets its name only when it is complete, so a run that is cut short leaves nothing that looks finished.
    A second process waits for the first.

    Raises:
        ProvisionError: not a Debian machine, no way to the mirror, or signatures that cannot be checked.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise ProvisionError("The Asterisk that is wanted is not here, and no apt to get it: please install Asterisk.")
    tree.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with _alone(tree.with_name(f"{tree.name}.lock"), say):
        if tree.exists():
            return
        for left_over in tree.parent.glob(f"{tree.name}.making-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f"{tree.name}.making-", dir=tree.parent))
        try:
            packages = _fetch(work, suites, names, retired, say)
            say(f"Unpacking {len(packages)} packages")
            made = work / "tree"
            _unpack(packages, made)
            made.rename(tree)
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _alone(lock: Path, say: Say) -> Iterator[None]:
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another run is getting Asterisk ready: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch(work: Path, suites: Sequence[str], names: Sequence[str], retired: bool, say: Say) -> list[Path]:
    mirror = os.environ.get(ARCHIVE) or _mirror(work)
    kinds = (KEYRINGS, REMOVED_KEYRINGS) if retired else (KEYRINGS,)
    failures = []
    for suite in suites:
        for number, keyring in enumerate(_keyrings(work, kinds)):
            apt = Apt(work / f"{suite}-{number}", f"{mirror} {suite} main", keyring)
            say(f"Asking Debian's package lists ({suite}) for Asterisk")
            failure = apt.run("update", "-qq", "--error-on=any")
            if failure is None:
                say("Fetching Asterisk and what it needs, about 80 MB")
                failure = apt.run("install", "-qq", "--download-only", *names, progress=say)
            if failure is None:
                return apt.packages()
            failures.append(failure)
    raise ProvisionError(
        f"Asterisk could not be fetched from the Debian mirror this machine uses ({', '.join(suites)}). If there is a "
        f"network, and the mirror no longer carries it, let {ARCHIVE} name a Debian archive that does.\n"
        + "\n".join(failures)
    )


def _mirror(work: Path) -> str:
    """The machine's own mirror of Debian's main archive; the lists are fetched privately if the machine has none."""
    found = _main_archives({})
    if not found:
        own = Apt(work / "machine", None, None)
        own.run("update", "-qq")
        found = _main_archives(own.environment)
    if not found:
        raise ProvisionError(
            "The Asterisk that is wanted is not here, and apt on this machine knows no Debian archive to take it from: "
            "please install Asterisk."
        )
    return found[0]


def _main_archives(environment: dict[str, str]) -> list[str]:
    wanted = "$(ORIGIN)\t$(LABEL)\t$(COMPONENT)\t$(REPO_URI)"
    answer = subprocess.run(
        ["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"],
        env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    rows = [line.split("\t") for line in answer.stdout.splitlines()]
    return [row[3] for row in rows if row[:3] == ["Debian", "Debian", "main"]]


def _keyrings(work: Path, kinds: Sequence[Sequence[str]]) -> Iterator[Path]:
    """Debian's archive keys: the installed ones, then those of the newest keyring package the machine's apt offers.

    The second are for a machine whose keys are older than the release, or that has none. They are as trustworthy as the
    machine's own package source, which vouches for them.
    """
    yield from _keys_below(Path("/"), kinds)
    apt = Apt(work / "keys", None, None)
    if apt.run("update", "-qq") is None and apt.run("download", "-qq", "debian-archive-keyring") is None:
        for package in apt.folder.glob("debian-archive-keyring_*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, apt.folder / "fresh"], check=True)
            yield from _keys_below(apt.folder / "fresh", kinds)


def _keys_below(root: Path, kinds: Sequence[Sequence[str]]) -> Iterator[Path]:
    """The first that exists of each kind's names."""
    for names in kinds:
        yield from [path for name in names if (path := root / "usr/share/keyrings" / name).exists()][:1]


def _unpack(packages: list[Path], tree: Path) -> None:
    # Debian merged /bin, /sbin and /lib into /usr; the links must be there before the first package is unpacked.
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / name).mkdir(mode=0o755, parents=True, exist_ok=True)
        (tree / name).symlink_to(f"usr/{name}")
    for package in packages:
        done = subprocess.run(["dpkg-deb", "-x", package, tree], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ProvisionError(f"{package.name} could not be unpacked: {done.stderr.strip()}")
    _merge(tree)
    for folder in UNNEEDED:
        shutil.rmtree(tree / folder, ignore_errors=True)
    # A package script would have chosen the English voice; no script was run.
    sounds = tree / "usr/share/asterisk/sounds"
    voices = sorted(voice for voice in sounds.glob("en_*") if voice.is_dir())
    if voices and not (sounds / "en").exists():
        (sounds / "en").symlink_to(voices[0].name)


def _merge(tree: Path) -> None:
    """Packages from before the merge bring folders of their own in place of the links: move them where the links led.

    Their absolute links would lead out of the tree: the loader's is one.
    """
    for name in ("bin", "sbin", "lib", "lib64"):
        own = tree / name
        if not own.is_symlink():
            shutil.copytree(own, tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(own)
            own.symlink_to(f"usr/{name}")
    for link in (tree / "usr").glob("lib*/**/*.so*"):
        if link.is_symlink() and link.readlink().is_absolute():
            inside = (tree / link.readlink().relative_to("/")).resolve()
            link.unlink()
            link.symlink_to(os.path.relpath(inside, link.parent))


class Apt:
    """apt-get with a state and a cache in `folder`; with the machine's proxies and certificates, and its sources
    unless `source` (mirror, suite, component) names another, whose signatures `keyring` must vouch for."""

    def __init__(self, folder: Path, source: str | None, keyring: Path | None) -> None:
        self.folder = folder
        for part in ("lists/partial", "archives/partial", "none"):
            (folder / part).mkdir(mode=0o750, parents=True, exist_ok=True)
        (folder / "status").touch()
        lines = [
            f'Dir::State "{folder}";', f'Dir::State::lists "{folder}/lists";', f'Dir::Cache "{folder}";',
            f'Dir::Cache::archives "{folder}/archives";', 'APT::Sandbox::User "";', 'APT::Default-Release "";',
            'APT::Install-Recommends "false";', 'APT::Get::Assume-Yes "true";', 'APT::Keep-Downloaded-Packages "true";',
            'Acquire::Languages "none";', 'Acquire::Retries "3";',
            # The machine's hooks are meant for the machine's own packages.
            "#clear APT::Update::Pre-Invoke;", "#clear APT::Update::Post-Invoke;",
            "#clear APT::Update::Post-Invoke-Success;", "#clear DPkg::Pre-Install-Pkgs;",
            "#clear DPkg::Pre-Invoke;", "#clear DPkg::Post-Invoke;",
        ]  # fmt: skip
        if source is not None:
            (folder / "sources.list").write_text(f"deb [signed-by={keyring}] {source}\n")
            lines += [
                f'Dir::State::status "{folder}/status";', f'Dir::Etc::sourcelist "{folder}/sources.list";',
                f'Dir::Etc::sourceparts "{folder}/none";', f'Dir::Etc::preferences "{folder}/none/no";',
                f'Dir::Etc::preferencesparts "{folder}/none";',
            ]  # fmt: skip
        (folder / "apt.conf").write_text("\n".join(lines) + "\n")
        self.environment = {"APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C.UTF-8"}

    def run(self, *words: str, progress: Say | None = None) -> str | None:
        """Run apt-get with `words`; None when all went well, else what it complained of.

        `progress` hears how far a download is, in a few lines.
        """
        heard, told = os.pipe()
        with os.fdopen(heard) as status, (self.folder / "said").open("w+") as said:
            apt = subprocess.Popen(
                ["apt-get", "-o", f"APT::Status-Fd={told}", *words], cwd=self.folder, env=os.environ | self.environment,
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, pass_fds=[told],
            )  # fmt: skip
            os.close(told)
            with apt:
                _report(status, progress)
            said.seek(0)
            return None if apt.returncode == 0 else f"apt-get {' '.join(words)}:\n{said.read().strip()}"

    def packages(self) -> list[Path]:
        """The packages fetched so far."""
        return sorted((self.folder / "archives").glob("*.deb"))


def _report(status: Iterable[str], progress: Say | None) -> None:
    """Turn apt's lines `dlstatus:number:percent:what` into one line a fifth."""
    reached = 0
    for line in status:
        fields = line.split(":")
        if progress is not None and fields[0] == "dlstatus" and float(fields[2]) >= reached + 20:
            reached = int(float(fields[2]) // 20 * 20)
            progress(f"  {reached} %")
