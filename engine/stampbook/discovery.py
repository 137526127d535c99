"""Finding installed plugins by their entry points, and checking that they are what they say."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from stampbook.errors import PluginError, StampbookError
from stampbook.hookspecs import API_VERSION
from stampbook.plugin import Plugin, PluginConfig

if TYPE_CHECKING:
    from collections.abc import Mapping


GROUP = "stampbook.plugins"
"""The entry-point group through which bundled and foreign plugins are found alike."""


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that is installed: its name, where it comes from, and how to load it."""

    name: str
    distribution: str
    entry: EntryPoint
    rival: str = ""
    """Another distribution that brings a plugin of this name, so that none of the two can be meant."""

    def load(self) -> type[Plugin[Any]]:
        """Return the plugin's class.

        Raises:
            PluginError: it cannot be imported, is no plugin, was written for another contract, or is one of two.
        """
        if self.rival:
            message = f"plugin {self.name!r} is brought by {self.distribution} and by {self.rival}; remove one"
            raise PluginError(message)
        try:
            loaded = self.entry.load()
        except (StampbookError, ImportError) as error:
            raise PluginError(self._broken(error)) from error
        except (Exception, SystemExit) as error:  # a module may do anything while it is imported
            raise PluginError(self._broken(f"{type(error).__name__}: {error}")) from error
        return checked_class(loaded, f"plugin {self.name!r} of {self.distribution}")

    def _broken(self, reason: object) -> str:
        told = " ".join(str(reason).split())
        return f"plugin {self.name!r} of {self.distribution} cannot be loaded: {told}; mend it or remove it"


def checked_class(loaded: object, who: str) -> type[Plugin[Any]]:
    """Return `loaded` if it is a plugin class of this contract.

    Raises:
        PluginError: it is not.
    """
    if not (isinstance(loaded, type) and issubclass(loaded, Plugin)):
        message = f"{who} is not a subclass of stampbook.Plugin"
        raise PluginError(message)
    if loaded.api_version != API_VERSION:
        message = f"{who} was written for plugin contract {loaded.api_version}; this is contract {API_VERSION}"
        raise PluginError(message)
    config: type = loaded.Config
    if not (issubclass(config, PluginConfig) and config.model_config.get("extra") == "forbid"):
        message = f"{who}: its Config is not a stampbook.PluginConfig that refuses unknown keys"
        raise PluginError(message)
    return loaded


@lru_cache(maxsize=1)
def installed() -> Mapping[str, Found]:
    """Return the installed plugins by name; none of them is loaded."""
    found: dict[str, Found] = {}
    for entry in entry_points(group=GROUP):
        distribution = entry.dist.name if entry.dist else "an unknown distribution"
        other = found.get(entry.name)
        if other is not None and other.entry.value != entry.value:
            found[entry.name] = replace(other, rival=distribution)
        else:
            found[entry.name] = Found(entry.name, distribution, entry)
    return found


def bringer_of(command: str) -> str | None:
    """Return the installed plugin that adds a command, if one says so; those that are broken say nothing."""
    for name, found in sorted(installed().items()):
        with suppress(PluginError):
            if command in found.load().commands:
                return name
    return None


def how_to_use(plugin: str) -> str:
    """Say what to do so that a program uses a plugin."""
    return f'add a table [[plugin]] with use = "{plugin}" to the program file, then: stampbook apply FILE'
