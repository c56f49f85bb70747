"""``pbx-plugin sandbox``: a whole private site on loopback, to try things and to test from outside."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Json, TroubleError
from pbx_plugin.services.directory import RefusedError

app = typer.Typer(
    help="A private Asterisk with phones, company and services, on loopback only.",
    no_args_is_help=True,
    context_settings=WIDE,
)

DEFAULT_FOLDER = Path(".sandbox")
Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where everything of the sandbox lies.")]


@app.command()
def up(
    folder: Folder = DEFAULT_FOLDER,
    asterisk: Annotated[
        str, typer.Option("--asterisk", metavar="VERSION", help="Which Asterisk: 22, or 16 to see how an old one does.")
    ] = "22",
    json: Json = False,
) -> None:
    """Start a sandbox that stays up, and tell what is needed to call into it."""
    if folder.exists() and not folder.is_dir():
        raise RefusedError(f"--dir {str(folder)!r} is not a folder")
    control = _control()
    if asterisk not in control.VERSIONS:
        raise RefusedError(f"--asterisk {asterisk!r} is none of {', '.join(control.VERSIONS)}")
    with speech.working("starting the sandbox"), _told(control):
        info = control.up(folder.absolute(), speech.hint, asterisk)
    _tell(info, json)


@app.command()
def down(folder: Folder = DEFAULT_FOLDER, json: Json = False) -> None:
    """Stop a sandbox; stopping one that is not up changes nothing."""
    control = _control()
    with _told(control):
        control.down(folder.absolute(), speech.hint)
    if json:
        speech.say_json({"up": False, "folder": str(folder.absolute())})
    else:
        speech.line(f"the sandbox in {folder} is down")


@app.command()
def status(folder: Folder = DEFAULT_FOLDER, json: Json = False) -> None:
    """Tell whether a sandbox is up, and what is needed to call into it."""
    _tell(_control().status(folder.absolute()), json)


@contextmanager
def _told(control: Any) -> Iterator[None]:
    try:
        yield
    except (control.SandboxError, OSError) as error:
        raise TroubleError(f"the sandbox: {error}") from error


def _control() -> Any:
    # Loaded when asked for: the sandbox needs packages that a production site does without.
    try:
        return importlib.import_module("pbx_plugin.sandbox.site_control")
    except ImportError as error:
        raise TroubleError(f"the sandbox is not installed ({error}): pip install 'pbx-plugin[sandbox]'") from error


def _tell(info: Any, json: bool) -> None:
    plain = asdict(info) if is_dataclass(info) and not isinstance(info, type) else info
    if json:
        speech.say_json(plain)
    else:
        speech.fields(_flat(plain))


def _flat(data: Any, prefix: str = "") -> dict[str, object]:
    if isinstance(data, dict):
        return {key: value for name, inner in data.items() for key, value in _flat(inner, f"{prefix}{name} ").items()}
    if isinstance(data, list | tuple) and any(isinstance(item, dict) for item in data):
        return {key: value for n, item in enumerate(data, 1) for key, value in _flat(item, f"{prefix}{n} ").items()}
    return {prefix.strip(): ", ".join(map(str, data)) if isinstance(data, list | tuple) else data}
