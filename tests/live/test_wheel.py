"""What a stranger installs: the wheel has everything in it, and works in a folder of its own without the sources."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from pbx_plugin.asterisk.variables import EVENT_TOGGLE
from pbx_plugin.sandbox.provision import cache_dir

TOP = Path(__file__).parents[2]
DATA = {"dialplan": TOP / "dialplan", "ivr_prompts": TOP / "ivr_prompts", "agi-bin": TOP / "deploy" / "agi-bin"}
WITHIN_S = 120.0


def uv() -> str:
    """The tool that made this environment, where set-up finds it or puts it."""
    return shutil.which("uv") or str(cache_dir() / "uv" / "bin" / "uv")


def run(
    *words: str, cwd: Path, environment: dict[str, str] | None = None, says: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run to the end, whatever comes of it."""
    return subprocess.run(
        words, cwd=cwd, env=environment or {**os.environ, "UV_SYSTEM_CERTS": "1"}, input=says,
        capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip


def build(out: Path) -> str:
    """Build the wheel as the environment itself was made; what was said if that did not work.

    An environment that pip filled has pip in it. Else uv did, and has kept what building takes.
    """
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(TOP))
    with_uv = (uv(), "build", "--quiet", "--wheel", "--out-dir", str(out), "--python", sys.executable, str(TOP))
    ways = [pip] if importlib.util.find_spec("pip") else [(*with_uv, "--offline"), with_uv]
    said = ""
    for way in ways:
        done = run(*way, cwd=out)
        if done.returncode == 0:
            return ""
        said += done.stderr
    return said


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    said = build(out)
    made = list(out.glob("*.whl"))
    assert len(made) == 1, said
    return made[0]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it, which borrows the libraries of ours. Returns its folder."""
    home = tmp_path_factory.mktemp("opt") / "pbx-plugin"
    venv.create(home, with_pip=False, symlinks=True)
    python = str(home / "bin" / "python")
    if importlib.util.find_spec("pip"):
        way = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    else:
        way = [uv(), "pip", "install", "--quiet", "--no-deps", "--offline", "--python", python]
    done = run(*way, str(wheel), cwd=home)
    assert done.returncode == 0, done.stderr
    # Found there, but its own .pth files are not read: the sources stay out of sight.
    site_packages(home).joinpath("borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return home


def site_packages(home: Path) -> Path:
    [found] = home.glob("lib/python3*/site-packages")
    return found


@pytest.fixture(scope="module")
def stranger(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> "Stranger":
    return Stranger(installed, tmp_path_factory.mktemp("empty"))


class Stranger:
    """Somebody in an empty folder who has nothing but the wheel."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home = home
        self.folder = folder
        self.environment = {
            "PATH": f"{home / 'bin'}:/usr/bin:/bin",
            "HOME": str(folder),
            "PBX_PLUGIN_CONFIG": str(folder / "etc" / "config.toml"),
        }

    def types(self, *words: str) -> str:
        """Type a command that must work; its output."""
        done = run(*words, cwd=self.folder, environment=self.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def test_everything_that_the_product_reads_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    for name, folder in DATA.items():
        for path in (one for one in folder.iterdir() if one.is_file()):
            assert inside.get(f"pbx_plugin/_data/{name}/{path.name}") == path.read_bytes(), path
    modules = {str(path.relative_to(TOP)) for path in (TOP / "pbx_plugin").rglob("*.py")}
    assert modules <= set(inside)
    assert any(name.startswith("pbx_plugin/db/migrations/versions/0001") for name in inside)
    assert "pbx_plugin/db/migrations/script.py.mako" in inside


def test_nothing_else_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    strange = [name for name in names if not name.startswith(("pbx_plugin/", "pbx_plugin-"))]
    assert strange == []
    assert [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".sqlite", ".wav"))] == []


def test_the_scripts_that_asterisk_runs_may_be_run(installed: Path) -> None:
    scripts = site_packages(installed) / "pbx_plugin" / "_data" / "agi-bin"
    names = {"pbxrec-consent", "pbxrec-pause", "pbxrec-toggle", "pbxrec-withdraw"}
    assert {path.name for path in scripts.iterdir()} == names
    for path in scripts.iterdir():
        assert path.is_file()
        assert os.access(path, os.X_OK), path


def test_a_script_linked_into_agi_bin_runs_with_the_installed_python(stranger: Stranger) -> None:
    script = site_packages(stranger.home) / "pbx_plugin" / "_data" / "agi-bin" / "pbxrec-toggle"
    link = stranger.folder / "pbxrec-toggle"
    link.symlink_to(script)
    asterisk = "agi_request: pbxrec-toggle\nagi_channel: PJSIP/101-00000001\n\n200 result=1\n"
    done = run(str(link), cwd=stranger.folder, environment=stranger.environment, says=asterisk)
    assert EVENT_TOGGLE in done.stdout, done.stdout + done.stderr


def test_it_runs_from_where_it_was_installed(stranger: Stranger) -> None:
    assert "Usage: pbx-plugin" in stranger.types("pbx-plugin", "--help")
    code = "import importlib.util; print(importlib.util.find_spec('pbx_plugin').origin)"
    said = stranger.types(str(stranger.home / "bin" / "python"), "-c", code)
    assert Path(said.strip()).is_relative_to(site_packages(stranger.home))


def test_a_site_with_prompts_and_dialplan_is_made_in_an_empty_folder(stranger: Stranger) -> None:
    stranger.types("pbx-plugin", "init", "--state", "state", "--spool", "spool", "--asterisk-etc", "asterisk")
    assert (stranger.folder / "etc" / "config.toml").stat().st_mode & 0o777 == 0o640
    stranger.types("pbx-plugin", "users", "add", "101", "Anna")
    wanted = json.loads(stranger.types("pbx-plugin", "prompts", "build", "--dry-run", "--json"))["prompts"]
    assert {"key": "en/announce", "step": "to be made"} in wanted
    shown = stranger.types("pbx-plugin", "dialplan", "show", "extensions.conf")
    assert "[pbxrec-users]" in shown
    assert "PJSIP/101" in shown
