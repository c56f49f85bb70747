"""Makes Asterisk read the generated files, and asks it whether it took them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import structlog

from pbx_plugin.asterisk.ami import AmiAccount, AmiClient, AmiError, AmiUnreachableError
from pbx_plugin.asterisk.render import version_of

log = structlog.get_logger(__name__)

MODULES = {
    "cel_custom.conf": ("cel_custom.so",),
    "pjsip.conf": ("res_pjsip.so", "res_pjsip_endpoint_identifier_ip.so"),
    "queues.conf": ("app_queue.so",),
    "features.conf": ("features",),
    "extensions.conf": ("pbx_config.so",),
}
"""Which modules read which file, in the order of reloading: the dialplan last, when all that it names is there."""

OPTIONAL = frozenset({"cel_custom.conf"})
"""What calls do not need: put in place all the same, and read by Asterisk once the administrator includes it."""


class LoadError(Exception):
    """Asterisk did not take the files, or could not be asked; the text is its answer."""


class AmiLoader:
    """Loads the files through the manager interface; ``timeout`` seconds is the patience for each step.

    The account needs the write class ``config``, and no other.
    """

    def __init__(self, account: AmiAccount, *, timeout: float = 15.0) -> None:
        self._account = account
        self._timeout = timeout

    def load(self, changed: Collection[str], files: Mapping[str, str]) -> None:
        """Reload what reads the ``changed`` files, and check that the dialplan in Asterisk is the one in ``files``.

        Raises LoadError with Asterisk's answer.
        """
        reload_and_check(self._account, changed, files, timeout=self._timeout)


def reload_and_check(
    account: AmiAccount, changed: Collection[str], files: Mapping[str, str], *, timeout: float = 15.0
) -> None:
    """Reload what reads the ``changed`` files and compare Asterisk's dialplan with ``files``. Raises LoadError."""
    try:
        asyncio.run(_reload_and_check(AmiClient(account, timeout=timeout), changed, files))
    except (AmiError, AmiUnreachableError) as error:
        raise LoadError(str(error)) from error


async def _reload_and_check(session: AmiClient, changed: Collection[str], files: Mapping[str, str]) -> None:
    async with session as ami:
        for file, modules in MODULES.items():
            for module in modules if file in changed else ():
                try:
                    await ami.action({"Action": "Reload", "Module": module})
                except AmiError as error:
                    if file in OPTIONAL:
                        log.warning("Asterisk did not reload a module", module=module, file=file, error=str(error))
                        continue
                    raise LoadError(f"Asterisk could not reload {module} for {file}: {error}") from error
        version = version_of(files)
        if version is not None:
            await _check(ami, version, files)


async def _check(ami: AmiClient, version: str, files: Mapping[str, str]) -> None:
    """Compare versions first, then sizes: Asterisk skips a line that it does not understand, and loads the rest."""
    loaded = await _shown(ami, "pbxrec-version")
    if not any(answer.get("Extension") == f"v{version}" for answer in loaded):
        raise LoadError(f"Asterisk's dialplan is not version {version}: see its log for the line it stumbled over")
    for context, wanted in line_counts(files.get("extensions.conf", "")).items():
        if wanted == 0:
            continue
        found = int((await _shown(ami, context))[-1].get("ListPriorities", 0))
        # An administrator may add to our contexts; what we wrote must be there.
        if found < wanted:
            raise LoadError(f"context {context}: Asterisk took {found} of {wanted} lines: see its log")


async def _shown(ami: AmiClient, context: str) -> list[dict[str, str]]:
    try:
        return await ami.action({"Action": "ShowDialPlan", "Context": context})
    except AmiError as error:
        raise LoadError(f"context {context} is not in Asterisk's dialplan: {error}") from error


def line_counts(extensions_conf: str) -> dict[str, int]:
    """Count the steps that every context of a generated ``extensions.conf`` holds."""
    found: dict[str, int] = {}
    context = ""
    for line in extensions_conf.splitlines():
        if line.startswith("["):
            context = line.strip("[]")
            found[context] = 0
        elif line.startswith(("exten =>", " same =>")):
            found[context] += 1
    return found
