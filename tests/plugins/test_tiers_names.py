# ruff: noqa: E501 - a message is one line
"""Names of levels in a program: each that no ladder has is a mistake, with its place and the near name."""

from __future__ import annotations

import pytest

from stampbook import ProgramError, load_program

PROGRAM = """\
[program]
name = "Names"
currency = "GBP"
[assets.points]
[metrics.spend]
sum = "order.net"
[metrics.risen]
on = ["tier.raised"]
count = true
when = "{metric}"
[[plugin]]
use = "points"
expires = {expires}
[[plugin.rule]]
name = "base"
when = "{when}"
earn = "{earn}"
[[plugin]]
use = "tiers"
metric = "spend"
announce = true
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "silver"
reach = "100"
[[plugin.level]]
name = "gold"
reach = "300"
{more}
"""
SOUND = {
    "metric": "event.before == 'blue' and event.after != ''",
    "expires": "{ default = '12 months', gold = '24 months' }",
    "when": "account.tier in ['silver', 'gold']",
    "earn": "2 if account.tier == 'gold' or '' == account.tier else 1",
    "more": "",
}
CLUB = """
[[plugin]]
use = "tiers"
name = "club"
fact = "club"
metric = "spend"
[[plugin.level]]
name = "guest"
"""


def mistakes(**parts: str) -> list[str]:
    with pytest.raises(ProgramError) as wrong:
        load_program(PROGRAM.format(**{**SOUND, **parts}), "names.toml")
    return [str(mistake) for mistake in wrong.value.mistakes]


def test_names_of_levels_that_there_are_are_sound() -> None:
    load_program(PROGRAM.format(**SOUND))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"when": "account.tier == 'sliver'"}, "names.toml:16: plugin[1].rule[1].when: account.tier is never 'sliver' (did you mean 'silver'?) (column 17)"),
        ({"when": "'Gold' != account.tier"}, "names.toml:16: plugin[1].rule[1].when: account.tier is never 'Gold' (did you mean 'gold'?) (column 1)"),
        ({"when": "account.tier in ['gold', 'platinum']"}, "names.toml:16: plugin[1].rule[1].when: account.tier is never 'platinum'; it may be blue, silver, gold (column 26)"),
        ({"earn": "2 if account.tier == 'glod' else 1"}, "names.toml:17: plugin[1].rule[1].earn: account.tier is never 'glod' (did you mean 'gold'?) (column 22)"),
        ({"metric": "event.after == 'glod'"}, "names.toml:10: metrics.risen.when: event.after is never 'glod' (did you mean 'gold'?) (column 16)"),
        ({"expires": "{ default = '12 months', glod = '24 months' }"}, "names.toml:13: plugin[1].expires: account.tier is never 'glod' (did you mean 'gold'?)"),
        ({"when": "account.club == 'gold'", "more": CLUB}, "names.toml:16: plugin[1].rule[1].when: account.club is never 'gold'; it may be guest (column 17)"),
        ({"more": "[[plugin]]\nuse = 'merging'\n[[plugin.fact]]\nname = 'tier'\norder = ['blue', 'sliver', 'gold']"}, "names.toml:34: plugin[3].fact[1].order: account.tier is never 'sliver' (did you mean 'silver'?)"),
        ({"more": "[[plugin]]\nuse = 'legacy'\n[[plugin.ladder]]\nlevels = ['gould']"}, "names.toml:33: plugin[3].ladder[1].levels: account.tier is never 'gould' (did you mean 'gold'?)"),
    ],
)  # fmt: skip
def test_a_level_that_no_ladder_has_is_a_mistake(parts: dict[str, str], message: str) -> None:
    assert mistakes(**parts) == [message]


def test_events_of_changes_may_name_the_levels_of_every_ladder() -> None:
    load_program(PROGRAM.format(**{**SOUND, "metric": "event.after in ['guest', 'gold']", "more": CLUB}))


def test_of_a_program_without_a_ladder_nothing_is_known() -> None:
    text = PROGRAM.format(**{**SOUND, "metric": "event.type == 'purchase'"}).partition('[[plugin]]\nuse = "tiers"')[0]
    load_program(
        text.replace("on = ['tier.raised']", "").replace('on = ["tier.raised"]', "").replace("'silver'", "'any'")
    )
