"""The base class of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from stampbook.hookspecs import API_VERSION

if TYPE_CHECKING:
    from stampbook.vocabulary import Context


class PluginConfig(BaseModel):
    """The base of a plugin's options: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ConfigT = TypeVar("ConfigT", bound=PluginConfig)


class Plugin(Generic[ConfigT]):
    """A plugin: built once for each of its tables in a program, with that table as its `config`.

    Attributes:
        config: the options of the table, checked.
        name: the table's `name`, or that under which the plugin was found.
        program: the program's assets, calendar and names.
    """

    Config: ClassVar[type[PluginConfig]] = PluginConfig
    api_version: ClassVar[int] = API_VERSION
    kinds: frozenset[str] = frozenset()
    """The kinds of event that the options name; `prepare` may set it, and one that there is not is a mistake."""

    def __init__(self, config: ConfigT, *, name: str, program: Context) -> None:
        self.config = config
        self.name = name
        self.program = program
        self.prepare()

    def prepare(self) -> None:
        """Work out once what the hooks need again and again.

        Raises:
            PluginError: the options do not fit the program; the message names the key.
        """
