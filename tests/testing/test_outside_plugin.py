"""A plugin outside the packages, installed as a stranger would install it, and its own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "examples" / "donation_plugin"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the plugin's folder, far from this checkout."""
    target = tmp_path_factory.mktemp("stranger") / "donation_plugin"
    shutil.copytree(SOURCE, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return target


@pytest.fixture(scope="module")
def installed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the plugin installed into it, by its own wheel."""
    target = tmp_path_factory.mktemp("site")
    options = ["--target", str(target), "--no-deps", "--no-build-isolation", "--offline"]
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        sys.executable,
        *options,
        str(project),
    ]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return target


def _python(*arguments: str, cwd: Path, installed: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    if installed is not None:
        environment["PYTHONPATH"] = str(installed)
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, env=environment)


def test_it_is_found_by_its_entry_point(project: Path, installed: Path) -> None:
    code = """
from stampbook import load_program_file
from stampbook.discovery import installed
from stampbook.testing import check_examples
found = installed()["donations"]
registry = load_program_file("program.toml")
print(found.distribution, registry.plugins[-1].name, all(result.ok for result in check_examples(registry)))
"""
    run = _python("-c", code, cwd=project, installed=installed)
    assert run.stdout.split() == ["stampbook-donations", "donations", "True"], run.stderr


def test_without_it_the_program_says_what_is_missing(project: Path) -> None:
    code = """
from stampbook import ProgramError, load_program_file
try:
    load_program_file("program.toml")
except ProgramError as error:
    print(error)
"""
    run = _python("-c", code, cwd=project)
    assert "no plugin 'donations' is installed" in run.stdout, run.stderr


def test_its_own_tests_pass_where_it_is_installed(project: Path, installed: Path) -> None:
    (project / "stampbook_donations.py").rename(project / "not_this_one.py")
    try:
        options = ("-q", "-p", "no:cacheprovider", "--hypothesis-seed=0")
        run = _python("-m", "pytest", *options, cwd=project, installed=installed)
    finally:
        (project / "not_this_one.py").rename(project / "stampbook_donations.py")
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout


def test_it_imports_nothing_but_the_face() -> None:
    text = (SOURCE / "stampbook_donations.py").read_text(encoding="utf-8")
    imports = [line for line in text.splitlines() if line.strip().startswith(("import stampbook", "from stampbook"))]
    assert imports
    assert {line.split()[1] for line in imports} == {"stampbook"}
