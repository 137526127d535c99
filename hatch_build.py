"""Compile the rooms on the hot path to machine code while a wheel is built: the same Python, about twice as fast.

Only where it is asked for, since it needs a C compiler: ``HATCH_BUILD_HOOKS_ENABLE=1 pip install .``. Without it, and
in every editable install, the same files run as plain Python.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompilingHook(BuildHookInterface[Any]):
    """Runs mypyc over the files named under ``compile`` and puts what it makes into the wheel, beside them."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless the install is editable.

        Raises:
            RuntimeError: mypyc or the C compiler failed; the message ends with what it said.
        """
        if version == "editable":
            return
        root = Path(self.root)
        work = Path(mkdtemp(prefix="stampbook-compile-"))
        self._work = work
        for source in self.config["sources"]:
            package = root / source
            shutil.copytree(package, work / package.name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        settings = work / "mypy.ini"
        settings.write_text("[mypy]\nstrict = True\nplugins = pydantic.mypy\nexplicit_package_bases = True\n")
        done = subprocess.run(  # noqa: S603 - this very Python, on our own files
            [sys.executable, "-m", "mypyc", "--config-file", str(settings), *self.config["compile"]],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            message = (
                f"the compilation failed; build without it, or see what it says:\n{(done.stdout + done.stderr)[-4000:]}"
            )
            raise RuntimeError(message)
        for made in (*work.glob("*.so"), *work.glob("*.pyd"), *work.glob("*/**/*.so"), *work.glob("*/**/*.pyd")):
            if "build" not in made.relative_to(work).parts:
                build_data["force_include"][str(made)] = str(made.relative_to(work))
        build_data["infer_tag"] = True
        build_data["pure_python"] = False

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatchling calls it so
        """Remove what was only needed meanwhile."""
        shutil.rmtree(getattr(self, "_work", ""), ignore_errors=True)
