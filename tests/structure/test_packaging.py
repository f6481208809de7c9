"""The build maps every folder that Python can import, and only under spqc."""

import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from support.places import ROOT

TOP_LEVEL = ("frontends", "passes", "targets")


def importable() -> set[str]:
    """Name every package of the checkout as it is installed."""
    names = set()
    for folder in ("spqc", *TOP_LEVEL):
        for init in (ROOT / folder).rglob("__init__.py"):
            relative = init.parent.relative_to(ROOT)
            if folder == "spqc" and set(relative.parts[1:2]) & set(TOP_LEVEL):
                continue  # a link to one of the three folders
            dotted = ".".join(relative.parts)
            names.add(dotted if folder == "spqc" else f"spqc.{dotted}")
    return names


def test_every_package_is_listed() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(config["tool"]["setuptools"]["packages"]) == importable()


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_links_resolve(name: str) -> None:
    link = ROOT / "spqc" / name
    if not link.is_symlink():
        pytest.skip("this checkout has no symbolic links")
    assert link.resolve() == ROOT / name


@pytest.mark.slow
def test_wheel_holds_spqc_only(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet"]
    command += ["--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    tops = {name.partition("/")[0] for name in ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"spqc"}
