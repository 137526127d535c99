"""The shape of the house: what the wheel holds, what each folder may be, what must load late."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE_ROOTS = [ROOT / "engine", *sorted(path for path in (ROOT / "plugins").iterdir() if path.is_dir())]
PACKAGES = sorted(path.parent for root in SOURCE_ROOTS for path in root.glob("*/py.typed"))
PLUGINS = [package for package in PACKAGES if package.name != "stampbook"]
LONGEST_MODULE_LINES = 400
LATE = {"alembic", "narwhals", "numpy", "polars", "psycopg", "pydantic", "rich", "sqlalchemy", "sqlmodel"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    target = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [path] = target.glob("stampbook-*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_the_wheel_holds_no_generic_name(wheel: list[str]) -> None:
    top = {name.split("/")[0] for name in wheel}
    packages = {name for name in top if not name.endswith(".dist-info")}
    assert packages == {package.name for package in PACKAGES}
    assert all(name == "stampbook" or name.startswith("stampbook_") for name in packages)
    assert len(top - packages) == 1


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_wheel_holds_all_of_a_package(wheel: list[str], package: Path) -> None:
    sources = {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert f"{package.name}/py.typed" in sources
    assert f"{package.name}/__init__.py" in sources
    assert sources <= set(wheel)


def test_the_wheel_holds_the_ready_programs(wheel: list[str]) -> None:
    programs = {f"stampbook/programs/{path.name}" for path in (ROOT / "config").glob("*.toml")}
    assert programs
    assert programs <= set(wheel)


def test_the_wheel_names_its_license_and_entry_points(wheel: list[str]) -> None:
    names = {name.partition(".dist-info/")[2] for name in wheel}
    assert {"licenses/LICENSE", "entry_points.txt", "METADATA"} <= names


@pytest.mark.parametrize("root", SOURCE_ROOTS, ids=lambda root: str(root.relative_to(ROOT)))
def test_a_source_root_holds_exactly_one_package(root: Path) -> None:
    inside = [path.name for path in root.iterdir() if not path.name.startswith((".", "__pycache__"))]
    expected = "stampbook" if root.name == "engine" else f"stampbook_{root.name}"
    assert inside == [expected]


def test_every_source_root_is_named_wherever_the_roots_are_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    roots = [path.relative_to(ROOT).as_posix() for path in SOURCE_ROOTS]
    packages = [path.relative_to(ROOT).as_posix() for path in PACKAGES]
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    mypy_path = [path.removeprefix("$MYPY_CONFIG_FILE_DIR/") for path in project["tool"]["mypy"]["mypy_path"]]
    assert sorted(wheel["packages"]) == packages
    assert sorted(wheel["only-include"]) == ["config", *packages]
    assert sorted(project["tool"]["hatch"]["build"]["dev-mode-dirs"]) == roots
    assert sorted(mypy_path) == sorted(["examples/online_retail", *roots])
    assert sorted(project["tool"]["pyright"]["extraPaths"]) == sorted(["examples/online_retail", *roots])
    assert sorted(project["tool"]["ruff"]["src"]) == roots
    assert sorted(project["tool"]["importlinter"]["root_packages"]) == sorted(path.name for path in PACKAGES)
    entries = project["project"]["entry-points"]["stampbook.plugins"]
    assert {entry.partition(":")[0] for entry in entries.values()} == {plugin.name for plugin in PLUGINS}


MODULES = sorted(path for root in SOURCE_ROOTS for path in root.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_is_too_long_to_read_in_one_sitting(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE_LINES


@pytest.mark.parametrize("package", PLUGINS, ids=lambda path: path.name)
def test_a_bundled_plugin_is_found_as_anyones_is(package: Path) -> None:
    entries = [entry for entry in entry_points(group="stampbook.plugins") if entry.module == package.name]
    assert entries
    assert all(isinstance(entry.load(), type) for entry in entries)


def test_the_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert version("stampbook") == project["project"]["version"]


def test_the_lock_names_no_index_but_the_public_one() -> None:
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    hosts = set(re.findall(r"[a-z]+://[^/\"]+", lock))
    assert hosts == {"https://pypi.org", "https://files.pythonhosted.org"}


HELP = "import sys; sys.argv = ['stampbook', '--help']; from stampbook.cli import main"
START_UPS = {
    "import stampbook": "import stampbook",
    "stampbook --help": f"{HELP}\ntry:\n    main()\nexcept SystemExit as end:\n    assert not end.code",
}


@pytest.mark.parametrize("start_up", START_UPS)
def test_starting_up_loads_nothing_heavy(start_up: str) -> None:
    tell = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    code = f"{START_UPS[start_up]}\n{tell}"
    run = subprocess.run([sys.executable, "-I", "-c", code], check=False, capture_output=True, text=True)
    assert not run.returncode, run.stderr
    loaded = set(run.stdout.splitlines()[-1].split())
    assert "stampbook" in loaded
    assert not loaded & LATE
