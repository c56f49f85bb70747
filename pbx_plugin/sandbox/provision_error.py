"""What every way of getting an Asterisk may say."""

from __future__ import annotations


class ProvisionError(Exception):
    """No usable Asterisk, and none could be made; the text says why and what to do, in words for a person."""
