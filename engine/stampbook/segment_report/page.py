"""A report as one page of HTML that needs nothing else: no script, no font, no picture and no address outside it.

A content security policy in its head forbids all of them, so that even a mistake here could load nothing.
"""

from __future__ import annotations

import re
from html import escape
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stampbook.segment_report.look import svg
from stampbook.segment_report.parts import PHONE, WIDE, Column, Picture, Section, Table, cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from stampbook.amounts import Asset
    from stampbook.segment_report.survey import Survey

MANY_COLUMNS = 10
"""With more of them a table's headings are turned, so that none is cut off."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(survey: Survey, sections: Sequence[Section]) -> str:
    """Return a report as a page.

    Raises:
        StampbookError: the plots extra is not installed.
    """
    title = escape(f"Segments of {survey.program}")
    style = files("stampbook.segment_report").joinpath("page.css").read_text(encoding="utf-8")
    body = "\n".join(_section(section, survey.currency) for section in sections)
    contents = "\n".join(f'<li><a href="#{each.id}">{escape(each.title)}</a></li>' for each in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<dl>
{"".join(_facts(survey))}</dl>
</header>
<nav aria-labelledby="contents">
<h2 id="contents">Contents</h2>
<ol>
{contents}
<li><a href="#definitions">Definitions</a></li>
</ol>
</nav>
<main>
{body}
{_definitions(survey)}
</main>
<footer><p>Made by Stampbook {escape(version("stampbook"))}.</p></footer>
</body>
</html>
"""


def _facts(survey: Survey) -> Iterator[str]:
    rows = survey.runs[0].run.rows if survey.runs else 0
    accounts = max((run.run.accounts for run in survey.runs), default=0)
    facts = {
        "As of": _moment(survey.at, survey.zone),
        "Compared with": _moment(survey.since, survey.zone),
        "Program": f"{survey.program} ({survey.program_hash[:12]})",
        "Accounts": f"{accounts:,}",
        "Purchases and returns": f"{rows:,}",
        "Currency": survey.currency.code,
        "Schemes": ", ".join(run.scheme for run in survey.runs),
    }
    if survey.left_out:
        facts["Left out, in other currencies"] = f"{survey.left_out:,}"
    for name, value in facts.items():
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>\n"


def _moment(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S} {zone}"


def _section(section: Section, currency: Asset) -> str:
    parts = [f'<section id="{section.id}" aria-labelledby="{section.id}-title">']
    parts.append(f'<h2 id="{section.id}-title">{escape(section.title)}</h2>')
    if section.missing:
        parts.append(f'<p class="missing">{escape(section.missing)}</p>')
    if section.text:
        parts.append(f"<p>{escape(section.text)}</p>")
    parts += [f'<p class="note">{escape(note)}</p>' for note in section.notes]
    parts += [_figure(picture) for picture in section.pictures]
    parts += [_table(table, currency) for table in section.tables if table.shown != 0]
    parts.append("</section>")
    return "\n".join(parts)


def _figure(picture: Picture) -> str:
    wide, phone = (
        _described(svg(picture.draw(width)), f"{picture.name}-{width}", picture.description) for width in (WIDE, PHONE)
    )
    return (
        f'<figure><div class="wide">{wide}</div><div class="phone">{phone}</div>\n'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def _described(picture: str, name: str, alt: str) -> str:
    """Give a picture its description, and its inner names a beginning of its own: a page has many pictures."""
    picture = re.sub(r'\bid="(\w+)"', rf'id="{name}-\1"', picture)
    picture = re.sub(r"url\(#(\w+)\)", rf"url(#{name}-\1)", picture)
    return picture.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1)


def _table(table: Table, currency: Asset) -> str:
    rows = table.frame.select(column.name for column in table.columns).head(
        len(table.frame) if table.shown is None else table.shown
    )
    more = len(table.frame) - len(rows)
    caption = table.caption if not more else f"{table.caption} The first {len(rows):,} of {len(table.frame):,}."
    head = "".join(f'<th scope="col"{_side(column)}>{_breakable(column.heading)}</th>' for column in table.columns)
    body = "\n".join(f"<tr>{''.join(_cells(values, table.columns, currency))}</tr>" for values in rows.iter_rows())
    many = ' class="many"' if len(table.columns) > MANY_COLUMNS else ""
    whole = (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(table.caption)}">'
        f"<table{many}>\n"
        f"<caption><span>{escape(caption)}</span></caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )
    return f"<details><summary>The numbers</summary>\n{whole}</details>" if table.folded else whole


def _cells(values: Sequence[object], columns: Sequence[Column], currency: Asset) -> Iterator[str]:
    for place, (value, column) in enumerate(zip(values, columns, strict=True)):
        text = _breakable(cell(value, column.kind, currency))
        yield f'<th scope="row"{_side(column)}>{text}</th>' if not place else f"<td{_side(column)}>{text}</td>"


def _breakable(text: str) -> str:
    """Return a text that a narrow column may break after each line of a name."""
    return escape(text).replace("_", "_<wbr>")


def _side(column: Column) -> str:
    return ' class="number"' if column.is_number else ""


def _definitions(survey: Survey) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(run.scheme)}</th><td>{escape(run.plugin)}</td>'
        f'<td><code>{escape(run.run.definition)}</code></td><td class="number">{len(run.run.frame):,}</td></tr>'
        for run in survey.runs
    )
    return f"""<section id="definitions" aria-labelledby="definitions-title">
<h2 id="definitions-title">Definitions</h2>
<p>Program <code>{escape(survey.program_hash)}</code>. A scheme whose options change gets another definition.</p>
<div class="scroll" role="region" tabindex="0" aria-label="Schemes"><table>
<caption><span>Schemes of the program, and the definitions by which they judged.</span></caption>
<thead><tr><th scope="col">scheme</th><th scope="col">plugin</th><th scope="col">definition</th>\
<th scope="col" class="number">accounts</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
</section>"""
