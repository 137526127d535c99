"""How pictures look: colours that can be told apart on light and on dark, and a chart as SVG or PNG.

Text and lines take the colour of the text around them (``currentColor``), so that one picture serves a light page, a
dark one and paper. Colours of areas keep a contrast of 3:1 to both pages, as WCAG 2.2 asks of graphics (1.4.11); text
upon an area is black or white, whichever stands out more, which is never less than 4.5:1 (1.4.3).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from stampbook.errors import StampbookError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import altair as alt

LIGHT: Final = "#ffffff"
DARK: Final = "#15181d"
"""The two pages that pictures stand on."""

INK: Final = "#1c2128"
"""The colour of text in a picture that stands by itself, on white."""

SERIES: Final = (
    "#2f7fc1",
    "#d05a00",
    "#0d8a68",
    "#b0529c",
    "#857d12",
    "#7a6fd0",
    "#a8603a",
    "#2a8a9c",
    "#c2496b",
    "#5b8a2c",
)
"""For things of different kind. The first five are told apart with any colour vision, after Okabe and Ito (2008)."""

OTHER: Final = "#747d88"
"""For what is none of them."""

_RAMP: Final = ("#e6f0f8", "#bcd7eb", "#85b5d9", "#4a8ec4", "#1f66a5", "#0b4079", "#08254a")
"""From little to much, by lightness alone."""

FONT: Final = "Liberation Sans, Arial, Helvetica, Noto Sans CJK SC, PingFang SC, Microsoft YaHei, sans-serif"
"""The first is measured with; the next two are as wide, and the rest hold Chinese."""

CONFIG: Final[dict[str, Any]] = {
    "aria": False,
    "background": "transparent",
    "font": FONT,
    "padding": 4,
    "view": {"stroke": None},
    "text": {"fontSize": 12},
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "domainColor": "currentColor",
        "tickColor": "currentColor",
        "gridColor": "currentColor",
        "gridOpacity": 0.15,
        "labelLimit": 160,
    },
    "legend": {
        "labelFontSize": 12,
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "orient": "bottom",
        "title": None,
        "labelLimit": 220,
    },
}


def shade(part: float) -> str:
    """Return the colour of a part between 0 and 1: the more, the darker."""
    place = min(max(part, 0.0), 1.0) * (len(_RAMP) - 1)
    below = min(int(place), len(_RAMP) - 2)
    ends = zip(_channels(_RAMP[below]), _channels(_RAMP[below + 1]), strict=True)
    return "#" + "".join(f"{round(low + (high - low) * (place - below)):02x}" for low, high in ends)


def ink_on(colour: str) -> str:
    """Return black or white, whichever stands out more on a colour."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21, as WCAG 2.2 defines it."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - sRGB
        for value in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def inline(rows: Sequence[Mapping[str, Any]]) -> alt.Data:
    """Return rows as the data of a chart."""
    import altair as alt

    data: alt.Data = alt.Data(values=list(rows))  # type: ignore[no-untyped-call] # altair has no type for it
    return data


def svg(chart: alt.TopLevelMixin) -> str:
    """Return a chart as an SVG element whose text stays text, in the colour of the page around it.

    Raises:
        StampbookError: the plots extra is not installed.
    """
    try:
        import vl_convert
    except ImportError:
        raise needs_plots() from None
    specification = chart.to_dict()
    specification["config"] = CONFIG
    return _slim(vl_convert.vegalite_to_svg(specification))


def standing_alone(picture: str) -> str:
    """Return an SVG element as a file of its own: on white, in black."""
    head, _, rest = picture.partition(">")
    return f'{head}><rect width="100%" height="100%" fill="{LIGHT}"/>{rest.replace("currentColor", INK)}\n'


def png(picture: str) -> bytes:
    """Return an SVG element as a PNG of twice its size, on white."""
    import vl_convert

    return vl_convert.svg_to_png(standing_alone(picture), scale=2)


def needs_plots() -> StampbookError:
    """Return the error of pictures that cannot be drawn, with what to do."""
    return StampbookError("pictures need the plots extra: pip install 'stampbook[plots]'")


_NEEDLESS = re.compile(
    r' (?:class|role|aria-[a-z]+|pointer-events|xmlns:xlink|version)="[^"]*"| opacity="1"| stroke-width="0"'
)
_UNSEEN = re.compile(r'<path d="(?:M0,0h-?[\d.]+v-?[\d.]+h-?[\d.]+Z)?"(?: display="none")?/>')
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_EMPTY = re.compile(r'<g(?: transform="translate\([\d.]+,[\d.]+\)")?></g>')
_MARK = re.compile(r"<[^>]*>")


def _slim(picture: str) -> str:
    """Leave out what changes nothing of what is seen, and digits beyond a tenth of a pixel; text is left as it is."""
    picture = _MARK.sub(lambda mark: _slim_mark(mark[0]), picture)
    before = ""
    while before != picture:
        before, picture = picture, _EMPTY.sub("", picture)
    return picture


def _slim_mark(mark: str) -> str:
    bare = _UNSEEN.sub("", _NEEDLESS.sub("", mark))
    return _NUMBER.sub(lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), bare)


def fitting(text: str, room: float, size: float = 12) -> str:
    """Return a text, cut short with an ellipsis where it is wider than the room; empty where not even that fits."""
    if text_width(text, size) <= room:
        return text
    while text and text_width(f"{text}…", size) > room:
        text = text[:-1]
    return f"{text.rstrip()}…" if len(text) > 1 else ""


def text_width(text: str, size: float = 12) -> float:
    """Return about how wide a text is, in pixels: Chinese signs are as wide as they are high."""
    from unicodedata import east_asian_width

    return size * sum(1.0 if east_asian_width(sign) in {"W", "F"} else 0.56 for sign in text)
