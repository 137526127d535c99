"""To be written."""

from __future__ import annotations

from stampbook import Plugin, PluginConfig


class Behaviour(Plugin[PluginConfig]):
    """To be written."""

    Config = PluginConfig
    alone = True
