"""Speaks a text with espeak-ng."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

_LONGEST_TEXT = 4000
_TIMEOUT_S = 60


class SpeechError(Exception):
    """The text could not be spoken; says what to do."""


class Speaker(Protocol):
    """Turns text into sound."""

    name: str
    """What the manifest names as the source."""

    def speak(self, text: str, voice: str, words_per_minute: int) -> bytes:
        """Return the text as a WAV file of any rate. Raises SpeechError."""
        ...


class EspeakNg:
    """The espeak-ng program, found on the path or at ``program``."""

    name = "espeak-ng"

    def __init__(self, program: str = "espeak-ng") -> None:
        self._program = program

    def speak(self, text: str, voice: str, words_per_minute: int) -> bytes:
        """Return the text as a WAV file. Raises SpeechError when there is no such program or voice."""
        if len(text) > _LONGEST_TEXT:
            raise SpeechError(f"a prompt has at most {_LONGEST_TEXT} characters")
        with tempfile.TemporaryDirectory(prefix="pbx-plugin-") as folder:
            spoken = Path(folder) / "spoken.wav"
            # -b 1: the text is UTF-8 whatever the locale; a file, because piped WAV headers carry no length.
            command = [self._program, "-v", voice, "-s", str(words_per_minute), "-b", "1", "-w", str(spoken), "--stdin"]
            # It looks for a sound card even when it writes a file, and would leave folders in the home folder and /tmp.
            quiet = {**os.environ, "PULSE_RUNTIME_PATH": folder}
            try:
                done = subprocess.run(
                    command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_S, check=False, env=quiet
                )
                if done.returncode == 0:
                    return spoken.read_bytes()
            except FileNotFoundError as error:
                raise SpeechError(
                    f"{self._program} is not installed: install the package espeak-ng, or give your own WAV files"
                ) from error
            except (OSError, subprocess.TimeoutExpired) as error:
                raise SpeechError(f"{self._program} failed: {error}") from error
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise SpeechError(f"{self._program} with voice {voice!r} failed: {said[-1] if said else done.returncode}")
