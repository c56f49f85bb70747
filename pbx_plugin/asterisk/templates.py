"""Turns the templates in ``dialplan/`` into text. A template can only say what :mod:`escape` has judged."""

from __future__ import annotations

import functools

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.escape import RenderError, Safe
from pbx_plugin.resources import resource_dir

_NAMES = {
    name: Safe(getattr(variables, name))
    for name in (
        "CONSENT",
        "EVIDENCE",
        "PRESENTED",
        "DDI",
        "ROUTE",
        "RIGHTS",
        "FEATURE",
        "FEATURE_PAUSE",
        "FEATURE_WITHDRAW",
        "FEATURES",
        "HUNTED",
        "LISTEN",
        "AGI_CONSENT",
        "AGI_TOGGLE",
        "AGI_PAUSE",
        "AGI_WITHDRAW",
        "CEL_MARKS",
    )
}


def fill(template: str, **values: object) -> str:
    """Return the text of a template of ``dialplan/``, with the shared names of ``variables.py`` at hand.

    Raises RenderError when the template would print a value that did not come out of :mod:`escape`.
    """
    return _environment().get_template(f"{template}.j2").render(_NAMES | values)


@functools.cache
def _environment() -> Environment:
    # Delimiters of our own: {{ }} and {# #} are too near to what stands in a dialplan. Nothing here is HTML.
    return Environment(
        loader=FileSystemLoader(resource_dir("dialplan")),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        finalize=_judged,
    )


def _judged(value: object) -> Safe:
    if not isinstance(value, Safe):
        raise RenderError(f"a template would print {value!r}, which nobody has judged")
    return value
