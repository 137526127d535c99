"""To be written."""

from __future__ import annotations

from stampbook import Plugin, PluginConfig


class Spending(Plugin[PluginConfig]):
    """To be written."""

    Config = PluginConfig
    alone = True
