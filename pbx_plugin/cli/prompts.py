"""``pbx-plugin prompts``: the spoken prompts, made by speech synthesis or the company's own."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pbx_plugin.cli import prompts_listen, speech
from pbx_plugin.cli.frame import WIDE, DryRun, Json, TroubleError, rulebook
from pbx_plugin.prompts.build import BuildError, build_prompts
from pbx_plugin.prompts.build import Progress as Step
from pbx_plugin.prompts.library import ManifestError, PromptLibrary, read_manifest
from pbx_plugin.prompts.speech import SpeechError
from pbx_plugin.prompts.texts import PromptTextError, load_texts
from pbx_plugin.resources import resource_dir
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.settings import load_settings

app = typer.Typer(
    help="The spoken prompts of the consent IVR and the announcements.", no_args_is_help=True, context_settings=WIDE
)


@app.command()
def build(
    own: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Your own recordings, as LANGUAGE/NAME.wav; they go first."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make every prompt anew.")] = False,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Make every prompt that is needed and missing; needs espeak-ng, or your own recordings."""
    folder = load_settings().paths.prompts
    if own is not None and not own.is_dir():
        raise RefusedError(f"--from {str(own)!r} is not a folder")
    try:
        texts = load_texts(resource_dir("ivr_prompts"))
        book = rulebook()
        if dry_run:
            missing = PromptLibrary(folder).missing(book, texts)
            steps = [{"key": key, "step": "to be made"} for key in missing]
        else:
            bar = _Bar()
            with bar.progress:
                done = build_prompts(folder, book, texts, own=own, force=force, progress=bar.advance)
            steps = [{"key": step.key, "step": step.step.value} for step in done]
    except (BuildError, SpeechError, ManifestError, PromptTextError, FileNotFoundError) as error:
        raise TroubleError(f"prompts: {error}") from error
    except OSError as error:
        raise TroubleError(f"prompts: {folder} cannot be written: {error}") from error
    if json:
        speech.say_json({"folder": str(folder), "prompts": steps})
    else:
        speech.table(("prompt", "what happened"), [(s["key"], s["step"]) for s in steps], "every prompt is there")


@app.command("list")
def list_prompts(json: Json = False) -> None:
    """List the prompts that were made, and those that are missing."""
    folder = load_settings().paths.prompts
    try:
        made = read_manifest(folder)
        missing = PromptLibrary(folder).missing(rulebook(), load_texts(resource_dir("ivr_prompts")))
    except (ManifestError, PromptTextError, FileNotFoundError) as error:
        raise TroubleError(f"prompts: {error}") from error
    found = [
        {"key": key, "path": str(folder / f"{key}.wav"), **asdict(entry), "usable": key not in missing}
        for key, entry in made.items()
    ]
    if json:
        speech.say_json({"folder": str(folder), "prompts": found, "missing": missing})
        return
    rows = [(p["key"], p["source"], p["text_version"], p["usable"], p["text"]) for p in found]
    rows += [(key, "", "", False, "missing: run 'pbx-plugin prompts build'") for key in missing if key not in made]
    speech.table(("prompt", "made by", "version", "usable", "text"), rows, "no prompts: run 'pbx-plugin prompts build'")


@app.command()
def listen(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="As in 'prompts list', such as sv/announce.")],
    phone: Annotated[
        str, typer.Option("--phone", metavar="USER", help="Ring this user's phone and play it there.")
    ] = "",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Only write it to this WAV file.")] = None,
    json: Json = False,
) -> None:
    """Play a prompt here, on a user's phone, or write it to a file; without a player tell where it lies."""
    settings = load_settings()
    try:
        made = read_manifest(settings.paths.prompts)
    except ManifestError as error:
        raise TroubleError(f"prompts: {error}") from error
    if prompt not in made:
        raise RefusedError(f"no prompt {prompt!r}: see 'pbx-plugin prompts list'")
    sound = (settings.paths.prompts / prompt).resolve()
    told = {"prompt": prompt, "path": f"{sound}.wav", "text": made[prompt].text, "how": "", "on": ""}
    if out is not None:
        told |= {"how": "written", "on": str(prompts_listen.write(sound, out))}
    elif phone:
        told |= {"how": "ringing", "on": prompts_listen.ring(settings, rulebook(), phone, sound)}
    elif player := prompts_listen.player():
        prompts_listen.play(player, sound)
        told |= {"how": "played", "on": Path(player).name}
    else:
        told["how"] = "no player here (aplay, paplay): listen to the file, or use --phone"
    if json:
        speech.say_json(told)
    else:
        speech.fields(told)


class _Bar:
    """Shows on stderr how far the build is; silent when stderr is no terminal."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr, markup=False, highlight=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        self.progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self.progress.add_task("prompts", total=None)

    def advance(self, step: Step) -> None:
        """Show one more prompt as done."""
        self.progress.update(self._task, completed=step.done, total=step.total, description=speech.safe(step.key))
