"""What a timer calls: valid for cron and systemd whatever the paths are, and of the day before whenever it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from configparser import ConfigParser
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from stampbook import Engine
from tests.cli.shop import data, one_line, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ZONE = "Pacific/Kiritimati"
PROGRAM = f"""
[program]
name = "Segments"
currency = "EUR"
time_zone = "{ZONE}"
open_accounts = "on first event"
[[plugin]]
use = "rfm"
"""
AWKWARD = ("plain", "my shop", "100% %d %%h", "$HOME ${HOME} $$", 'it\'s a "shop"; exit', "商店", "#1 -x ~ *")


@pytest.fixture(params=AWKWARD)
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    name: str = request.param
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    with Engine.open("sqlite:///books 5%.db", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        engine.post({"type": "purchase", "id": "p", "account": "ann", "at": "2025-01-02", "amount": "5.00"})
    return folder


def plan(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = data("--db", "sqlite:///books 5%.db", "segments", "schedule", *arguments)
    return found


def expected(shop: Path) -> list[str]:
    ending = ["--db", f"sqlite:///{shop / 'books 5%.db'}", "--at", "yesterday", "--archive", str(shop / "kept 1%")]
    return ["segments", "run", *ending]


def test_the_line_of_a_crontab_does_what_it_says_from_any_folder(shop: Path) -> None:
    *before, line = plan("--archive", "kept 1%")["crontab"].splitlines()
    assert f"CRON_TZ={ZONE}" in before
    *times, command = line.split(" ", 5)
    assert times == ["30", "3", "*", "*", "*"]
    assert not re.search(r"(?<!\\)%", command), "a bare percent sign ends the command"
    environment = {"HOME": "/", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}  # as poor as that of cron
    days = {str((datetime.now(ZoneInfo(ZONE)) - timedelta(days=1)).date())}
    subprocess.run(["/bin/sh", "-c", command.replace(r"\%", "%")], check=True, cwd="/", env=environment)
    days.add(str((datetime.now(ZoneInfo(ZONE)) - timedelta(days=1)).date()))
    [made] = data("--db", "books 5%.db", "segments", "show")
    assert made["at"][:10] in days
    assert "23:59:59" in made["at"]
    assert (shop / "kept 1%" / "archive.json").exists()


def words_of(line: str) -> list[str]:
    """Read a command line as systemd.service(5) and systemd.syntax(7) say."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"(?:\s|$)|([^\s"]+)', line)
    words = [re.sub(r"\\(.)", r"\1", quoted) or plain for quoted, plain in found]
    assert not any(re.search(r"%[^%]", word.replace("%%", "")) for word in words), "a specifier"
    words = [word.replace("%%", "%") for word in words]
    assert not any("$" in word.replace("$$", "") for word in words[1:]), "a variable"
    return [words[0], *(word.replace("$$", "$") for word in words[1:])]


def test_a_unit_of_systemd_calls_the_same(shop: Path) -> None:
    unit = ConfigParser(interpolation=None, delimiters=("=",))
    unit.read_string(plan("--archive", "kept 1%")["service"])
    program, *rest = words_of(unit["Service"]["ExecStart"])
    assert os.access(program, os.X_OK)
    assert rest == expected(shop)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
def test_systemd_takes_the_units(shop: Path, tmp_path: Path) -> None:
    made = plan("--archive", "kept 1%")
    for each in (made, plan("--every", "week"), plan("--every", "month")):
        assert verified(tmp_path, each) == ""
    broken = made | {"timer": made["timer"].replace(ZONE, "Nowhere/Town")}
    assert "calendar" in verified(tmp_path, broken), "what is wrong is told"
    assert shop.exists()


def verified(folder: Path, made: dict[str, Any]) -> str:
    units = [folder / "stampbook-segments.service", folder / "stampbook-segments.timer"]
    for path in units:
        path.write_text(made[path.suffix[1:]], encoding="utf-8")
    return said_of(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, units)])


def said_of(words: Sequence[str]) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_a_program_in_a_folder_with_an_awkward_name_is_called_too(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = shop / "stampbook"
    own.write_text("#!/bin/sh\n", encoding="utf-8")
    own.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(shop / "python"))
    made = plan()
    command = made["crontab"].splitlines()[-1].split(" ", 5)[5].replace(r"\%", "%")
    subprocess.run(["/bin/sh", "-c", command], check=True, cwd="/")
    line = next(line for line in made["service"].splitlines() if line.startswith("ExecStart="))
    assert str(own) in words_of(line.removeprefix("ExecStart="))
    if shutil.which("systemd-analyze"):
        assert verified(tmp_path, made) == ""


@pytest.mark.parametrize("shop", ["plain"], indirect=True)
def test_a_person_reads_what_to_write_where(shop: Path) -> None:
    assert shop.exists()
    said = run("--db", "books 5%.db", "segments", "schedule", "--every", "week").stdout
    assert "For rfm, every week." in said
    assert "\n30 3 * * 1 " in said
    assert f"\nOnCalendar=Mon *-*-* 03:30:00 {ZONE}\nPersistent=true\n" in said
    assert "stampbook-segments.service" in said


@pytest.mark.parametrize("shop", ["plain"], indirect=True)
def test_what_no_timer_could_call_is_refused_in_one_line(shop: Path) -> None:
    assert shop.exists()
    where = ("--db", "books 5%.db", "segments", "schedule")
    assert "no name of a user" in one_line(*where, "--user", "ann\nExecStart=/bin/sh")
    assert "rename it" in one_line(*where, "--archive", "two\nlines")
    assert "rename it" in one_line(*where, "--archive", "back\\slash")


@pytest.mark.postgres
def test_a_password_is_left_out_and_told_where_to_put(postgres_db: str) -> None:
    with Engine.open(postgres_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM)
    result = run("--db", f"{postgres_db}&password=hush%21", "segments", "schedule", "--user", "till")
    assert "hush" not in result.output
    assert "put it into ~/.pgpass of till" in result.stderr
    assert "password" not in result.stdout
    assert "left out" not in run("--db", postgres_db, "segments", "schedule").stderr


@pytest.mark.parametrize("shop", ["plain"], indirect=True)
def test_yesterday_is_a_date_of_the_program(shop: Path) -> None:
    assert shop.exists()
    zone = ZoneInfo(ZONE)
    before = datetime.now(zone).date()
    [made] = data("--db", "books 5%.db", "segments", "run", "--at", "yesterday")
    assert datetime.fromisoformat(made["at"]).astimezone(zone).date() + timedelta(days=1) in {
        before,
        datetime.now(zone).date(),
    }
    assert made["at"][11:19] == "23:59:59"
    assert "write 2025-01-31" in one_line("--db", "books 5%.db", "segments", "run", "--at", "yesterdy")
