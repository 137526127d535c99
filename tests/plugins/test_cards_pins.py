"""PINs of cards: refused and counted where they are wrong, and nowhere to be found where they are right."""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stampbook import Engine, EventError
from stampbook.exporting import export
from stampbook.importing import import_file
from stampbook.verifying import verify
from tests.cli.shop import run
from tests.plugins.cards import BY, KEY, ONE, PROGRAM, THREE, TWO, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PIN, WRONG, NEW = "8041726359", "9152837460", "7263548190"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAMPBOOK_CARD_KEY", KEY)


def sold(options: str = "") -> Shop:
    shop = Shop(options)
    shop.post("account.opened", "ann")
    shop.sell("50", pin=PIN)
    return shop


def test_a_card_with_a_pin_does_nothing_without_it() -> None:
    shop = sold()
    for kind, fields in (
        ("card.spent", {"amount": "1"}),
        ("card.authorised", {"amount": "1", "lapses_at": "2030-01-01"}),
        ("card.claimed", {"to": "ann"}),
        ("card.enquired", {}),
    ):
        assert shop.codes(kind, **fields) == ["pin_required"]
        assert shop.codes(kind, pin=WRONG, **fields) == ["wrong_pin"]
        assert shop.codes(kind, pin=PIN, **fields) == []
        if kind == "card.authorised":
            shop.post("hold.voided", hold=shop.ledger.journal(ONE)[-1].id)
        if kind == "card.claimed":
            shop = sold()
    assert shop.codes("spend", amount="1") == ["pin_required"]
    assert shop.codes("hold.authorised", amount="1") == ["pin_required"]


def test_a_program_says_for_what_the_pin_is_asked_and_a_wrong_one_is_refused_all_the_same() -> None:
    shop = sold('pin_for = ["claim"]\n')
    assert shop.codes("card.spent", amount="1") == []
    assert shop.codes("spend", amount="1") == []
    assert shop.codes("card.spent", amount="1", pin=WRONG) == ["wrong_pin"]
    assert shop.codes("card.claimed", to="ann") == ["pin_required"]


def test_where_every_card_has_a_pin_none_is_issued_without() -> None:
    shop = Shop('pin = "required"\n')
    assert shop.codes("card.issued") == ["pin_required"]
    assert shop.codes("card.issued", pin=PIN) == []


def test_the_bearer_is_told_what_is_on_the_card() -> None:
    shop = sold('expires = "3 years"\n')
    told = shop.post("card.enquired", pin=PIN).memo["remembered"]
    assert told == {"balance": "50.00", "good_until": "2028-03-02T00:00:00+00:00", "state": "active"}


def test_a_wrong_pin_tells_nothing_else() -> None:
    shop = sold()
    assert shop.codes("card.spent", amount="1000", pin=WRONG) == ["wrong_pin"]
    shop.post("card.blocked", **BY)
    assert shop.codes("card.spent", amount="1000", pin=WRONG) == ["wrong_pin"]


def test_so_many_wrong_pins_lock_a_card_until_an_operator_unlocks_it() -> None:
    shop = sold("wrong_pins = 3\n")
    assert [shop.codes("card.spent", amount="1", pin=WRONG) for _ in range(3)] == [["wrong_pin"]] * 3
    assert shop.codes("card.spent", amount="1", pin=PIN) == ["pin_locked"]
    assert shop.codes("card.enquired", pin=PIN, at="2035-01-01") == ["pin_locked"]  # time unlocks nothing
    assert shop.codes("card.unlocked", **BY) == []
    assert shop.codes("card.unlocked", **BY) == ["not_locked"]
    assert shop.codes("card.spent", amount="1", pin=PIN) == []


def test_how_many_tries_are_left_is_told() -> None:
    shop = sold("wrong_pins = 3\n")
    told = [shop.post("card.enquired", pin=WRONG).objections[0].message for _ in range(3)]
    assert [each.partition("; ")[2] for each in told] == [
        "2 tries are left",
        "1 try is left",
        "the card is locked now",
    ]


def test_the_right_pin_starts_the_count_anew() -> None:
    shop = sold("wrong_pins = 2\n")
    for _ in range(5):
        assert shop.codes("card.enquired", pin=WRONG) == ["wrong_pin"]
        assert shop.codes("card.enquired", pin=PIN) == []


def test_wrong_pins_count_together_within_their_time() -> None:
    shop = sold("wrong_pins = 2\nwrong_within_minutes = 60\n")
    for hour in (10, 11, 12):
        assert shop.codes("card.enquired", pin=WRONG, at=f"2025-03-02T{hour}:00") == ["wrong_pin"]
    assert shop.codes("card.enquired", pin=WRONG, at="2025-03-02T12:59") == ["wrong_pin"]
    assert shop.codes("card.enquired", pin=PIN, at="2025-03-02T13:00") == ["pin_locked"]


def test_a_till_that_says_it_is_late_gets_no_further_tries() -> None:
    shop = sold("wrong_pins = 3\nwrong_within_minutes = 60\n")
    for at in ("2025-03-05T10:00", "2025-03-03T10:00", "2025-03-04T10:00"):
        assert shop.codes("card.enquired", pin=WRONG, at=at) == ["wrong_pin"]
    for at in ("2025-03-02T10:00", "2025-03-05T10:01"):
        assert shop.codes("card.enquired", pin=PIN, at=at) == ["pin_locked"]


def test_a_wrong_pin_that_is_sent_twice_under_one_id_counts_once() -> None:
    shop = sold("wrong_pins = 2\n")
    event = {"id": "e", "at": "2025-03-02T10:00", "pin": WRONG}
    for _ in range(5):
        assert shop.codes("card.enquired", **event) == ["wrong_pin"]
    assert shop.codes("card.enquired", pin=PIN) == []


def test_a_new_pin_is_set_by_an_operator_and_unlocks_the_card() -> None:
    shop = sold("wrong_pins = 1\n")
    assert shop.codes("card.enquired", pin=WRONG) == ["wrong_pin"]
    assert shop.codes("card.pin_set", pin=NEW, **BY) == []
    assert shop.codes("card.enquired", pin=PIN) == ["wrong_pin"]
    assert shop.codes("card.unlocked", **BY) == []
    assert shop.codes("card.enquired", pin=NEW) == []
    with pytest.raises(EventError, match="write the new pin"):
        shop.post("card.pin_set", **BY)


def test_a_new_card_has_its_own_pin() -> None:
    shop = sold()
    shop.post("card.issued", TWO, pin=NEW)
    assert shop.codes("card.replaced", to=TWO, **BY) == []
    assert shop.codes("card.spent", TWO, amount="1", pin=PIN) == ["wrong_pin"]
    assert shop.codes("card.spent", TWO, amount="1", pin=NEW) == []


def test_one_pin_on_two_cards_is_kept_as_two_hashes() -> None:
    shop = Shop()
    hashes = set()
    for card in (ONE, TWO):
        shop.post("card.issued", card, pin=PIN)
        hashes.add(shop.ledger.fact("_cards.pin", account=card))
    assert len(hashes) == 2


def test_the_scheme_is_the_one_that_the_page_describes() -> None:
    text = b"\0".join((b"stampbook card pin 1", ONE.removeprefix("card:").encode(), PIN.encode()))
    hashed = hmac.new(KEY.encode(), text, "sha256").hexdigest()
    shop = Shop()
    shop.post("card.issued", pin_hash=hashed)
    assert shop.codes("card.enquired", pin=PIN) == []
    assert shop.codes("card.enquired", pin_hash=hashed) == []


@pytest.mark.parametrize("pin", ["123", "12345678901234", "80a1", 80417263, None, ["8041"], "٤٥٦٧", "8041 "])
def test_what_is_no_pin_is_said_without_saying_it(pin: Any) -> None:
    shop = Shop()
    with pytest.raises(EventError) as error:
        shop.post("card.issued", id="e", pin=pin)
    assert str(error.value) == "event 'e': pin: write 4 to 12 digits, in quotes"


def test_a_pin_in_the_place_of_its_hash_is_not_told_either() -> None:
    shop = Shop()
    for fields in ({"pin_hash": PIN}, {"pin_hash": PIN, "pin": PIN}):
        with pytest.raises(EventError) as error:
            shop.post("card.issued", **fields)
        assert PIN not in str(error.value)


@pytest.mark.parametrize(("key", "told"), [(None, "is not set"), ("short", "is shorter than 32 bytes")])
def test_without_a_key_no_pin_is_taken(key: str | None, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAMPBOOK_CARD_KEY", key or "")
    with pytest.raises(EventError, match=f"STAMPBOOK_CARD_KEY {told}"):
        Shop().post("card.issued", pin=PIN)


def events() -> list[dict[str, Any]]:
    """Return events with right, wrong, missing and misplaced PINs: accepted, refused and malformed ones."""
    given: list[dict[str, Any]] = [
        {"type": "account.opened", "account": "ann"},
        {"type": "card.issued", "pin": PIN},
        {"type": "card.issued", "account": TWO},
        {"type": "card.activated", "amount": "50", "tender": "cash"},
        {"type": "card.spent", "amount": "5", "pin": PIN},
        {"type": "card.spent", "amount": "500", "pin": PIN},
        {"type": "card.spent", "amount": "5", "pin": WRONG},
        {"type": "card.enquired", "pin": WRONG},
        {"type": "card.pin_set", "pin": NEW, **BY},
        {"type": "card.claimed", "pin": NEW, "to": "nobody"},
        {"type": "card.claimed", "pin": NEW, "to": "ann", "value": "stays"},
        {"type": "card.spent", "amount": "5", "pin": PIN, "account": THREE},
        # what nothing can be made of
        {"type": "card.spent", "amount": "5", "pin": int(PIN)},
        {"type": "card.spent", "amount": "5", "pin": PIN + "x"},
        {"type": "card.spent", "amount": "5", "pin_hash": PIN},
        {"type": "card.spent", "amount": "5", "PIN": PIN},
        {"type": "card.spent", "amount": "five", "pin": PIN},
        {"type": "card.spnt", "amount": "5", "pin": PIN},
        {"type": "purchase", "amount": "5", "pin": PIN},
        {"type": "card.activated", "amount": "5", "tender": "cash", "pin": PIN},
        {"type": "card.spent", "amount": "5", "pin": PIN, "lines": [{"pin": PIN}]},
    ]
    return [
        {"id": f"e{number}", "source": "till", "account": ONE, "at": f"2025-03-02T10:{number:02}", **event}
        for number, event in enumerate(given)
    ]


def everything_kept(url: str) -> Iterator[bytes]:
    """Yield all that a database holds: its files, or every value of every table."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        for each in path.parent.glob(f"{path.name}*"):
            yield each.read_bytes()
        return
    import psycopg

    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'.encode()).fetchall():
                yield b"\n".join(each if isinstance(each, bytes) else str(each).encode() for each in row)


def assert_nowhere(texts: Sequence[bytes | str]) -> None:
    secrets = [each.encode() for each in (PIN, WRONG, NEW, KEY)]
    for text in texts:
        raw = text.encode() if isinstance(text, str) else text
        assert not any(secret in raw for secret in secrets), raw[:200]


def test_neither_a_pin_nor_the_key_is_in_the_database_or_in_anything_that_is_told(
    any_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "out"
    place.mkdir()
    (tmp_path / "program.toml").write_text(PROGRAM, encoding="utf-8")
    lines = [*map(json.dumps, events()), f'{{"type": "card.spent", "pin": "{PIN}", "id": ', f'["pin", "{PIN}"]']
    (tmp_path / "till.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    told: list[str | bytes] = []
    with Engine.open(any_db, create=True) as engine:
        engine.put_in_force(tmp_path / "program.toml")
        for event in [each | {"id": f"alone-{each['id']}", "account": each["account"]} for each in events()]:
            try:
                told.append(repr(engine.process([event])))
                told.append(repr(engine.preview(event | {"id": "p"})))
            except Exception as error:  # noqa: BLE001 - whatever it says is looked at
                told.append(str(error))
        summary = import_file(engine, tmp_path / "till.jsonl", refused=place / "refused.jsonl")
        told.append(repr(summary))
        assert summary.accepted
        assert summary.malformed > 8
        assert verify(engine).findings == ()
        for name in ("jsonl", "csv"):
            export(engine, place / f"books.{name}", name)
        with engine.store.reader() as session:
            for ref in session.refs():
                told.extend(
                    part for entry in session.journal(ref) for part in (entry.payload, entry.trace, repr(entry))
                )
    for command in (["statement", ONE], ["account", "show", ONE], ["explain", "e4"], ["explain", "e6"], ["verify"]):
        for more in ([], ["--json"]):
            result = run("--db", any_db, *command, *more)
            told.extend([result.stdout, result.stderr])
    told.append(run("--db", any_db, "card", "show", ONE).output)
    told.append(caplog.text)
    told.extend(path.read_bytes() for path in place.rglob("*") if path.is_file())
    assert b"(withheld)" in (place / "refused.jsonl").read_bytes()
    assert_nowhere([*told, *everything_kept(any_db)])


def test_books_with_wrong_pins_are_built_anew_from_their_export_without_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine.open(f"sqlite:///{tmp_path / 'books.db'}", create=True) as engine:
        engine.put_text_in_force(PROGRAM + "wrong_pins = 2\n")
        engine.process(events())
        engine.process([each | {"id": f"again-{each['id']}", "at": "2025-03-03"} for each in events()])
        export(engine, tmp_path / "books.jsonl", "jsonl")
        head = verify(engine).head
    monkeypatch.delenv("STAMPBOOK_CARD_KEY")
    with Engine.open(f"sqlite:///{tmp_path / 'copy.db'}", create=True) as copy:
        import_file(copy, tmp_path / "books.jsonl", as_recorded=True, refused=tmp_path / "refused.jsonl")
        verdict = verify(copy)
    assert (verdict.findings, verdict.head) == ((), head)
