"""What tills, operators and payment systems call cash, however it is typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMES = (
    "cash", "cash payment", "payment in cash", "cash paid", "paid in cash", "paid cash", "in cash", "by cash",
    "cash sale", "cash tender", "cash money", "ready money", "petty cash", "banknotes", "bank notes", "coins",
    "notes and coins",
    "现金", "现钞", "钞票", "纸币", "硬币", "零钱", "付现", "现付", "收现", "现金支付", "现金付款", "现金收款",
    "现金结算", "现金缴费", "现金购卡",
    "現金", "現鈔", "鈔票", "紙幣", "硬幣", "零錢", "付現", "現付", "收現", "現金支付", "現金付款", "現金收款",
)  # fmt: skip
"""The names that are cash in every program."""

_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|〔[^〔〕]*〕")
_MONEY = ("人民币", "人民幣", "rmb", "renminbi", "yuan", "元")


class Cash:
    """The names of cash in a program: those that everybody knows, and its own.

    Args:
        more: what the operator calls cash besides.
        currency: the code of the program's, which may stand beside a name: ``Cash CNY``.
    """

    def __init__(self, more: Iterable[str], currency: str) -> None:
        self._money = (*_MONEY, currency.casefold())
        self._names = frozenset(_letters(name) for name in (*NAMES, *more)) - {""}

    def is_meant(self, told: str) -> bool:
        """Whether a text says cash, whatever its width and case, with blanks and signs, and a currency beside it."""
        plain = _letters(told)
        bare = _letters(_BRACKETED.sub(" ", normalize("NFKC", told)))
        return any(name in self._names for text in (plain, bare) for name in self._without_money(text))

    def _without_money(self, text: str) -> Iterable[str]:
        yield text
        for word in self._money:
            if text.startswith(word):
                yield text.removeprefix(word)
            if text.endswith(word):
                yield text.removesuffix(word)


def _letters(text: str) -> str:
    """Return the letters and digits of a text alone, in one width and case."""
    return "".join(character for character in normalize("NFKC", text).casefold() if character.isalnum())
