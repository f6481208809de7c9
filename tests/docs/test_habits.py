"""Files around the code that must say the same as the code: citation, papers, continuous integration, tools."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version

from support.places import ROOT

from spqc.foundation.version import __version__

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
KEYS = re.findall(r"^@\w+\{([\w-]+),$", (ROOT / "docs" / "papers.bib").read_text(), re.MULTILINE)


def goals() -> set[str]:
    """Return the goals of the Makefile."""
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_file_names_the_same_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [__version__]
    assert CONFIG["project"]["version"] == __version__
    assert re.search(rf"^## {re.escape(__version__)}( |$)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_keys_that_pages_cite_are_papers() -> None:
    assert len(KEYS) == len(set(KEYS))
    cited = {key for page in PAGES for key in re.findall(r"\[@([\w-]+)\]", page.read_text())}
    assert cited and cited <= set(KEYS)


def test_braces_of_the_bibliography_close() -> None:
    entries = re.split(r"^(?=@)", (ROOT / "docs" / "papers.bib").read_text(), flags=re.MULTILINE)[1:]
    assert len(entries) == len(KEYS)
    for entry in entries:
        assert entry.count("{") == entry.count("}") and entry.rstrip().endswith("}"), entry
        assert re.search(r"^  (title|author) = ", entry, re.MULTILINE), entry


def test_goals_of_the_public_ci_exist() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    (listed,) = re.findall(r"goal: \[(.*)\]", workflow)
    run = set(re.findall(r"run: make ([a-z-]+)", workflow)) | set(listed.split(", "))
    assert {"lint", "test", "test-slow", "demo"} <= run <= goals()
    assert re.findall(r'python-version: "([\d.]+)"', workflow) == [CONFIG["project"]["requires-python"].lstrip(">=")]


def test_goals_of_the_own_ci_exist_and_none_of_the_public_is_missing() -> None:
    own = set(re.findall(r"\bmake ([a-z-]+)", (ROOT / ".ci" / "run").read_text()))
    assert {"lint", "test", "test-slow", "demo"} <= own <= goals()


def test_every_goal_is_explained_and_phony() -> None:
    text = (ROOT / "Makefile").read_text()
    explained = set(re.findall(r"^([a-z][a-z-]*):.*## ", text, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY:((?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert goals() == explained == set(phony.replace("\\", " ").split())


def test_ruff_is_pinned_to_the_minor_version_that_formats_the_tree() -> None:
    (pinned,) = [item for item in CONFIG["project"]["optional-dependencies"]["dev"] if item.startswith("ruff")]
    assert pinned == f"ruff=={'.'.join(version('ruff').split('.')[:2])}.*"


def test_hooks_run_the_tools_of_make_lint() -> None:
    hooks = re.findall(r"entry: \.venv/bin/(.*)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.MULTILINE)
    tools = re.findall(r"^\t\$\(BIN\)/(.*)$", re.split(r"^lint:", (ROOT / "Makefile").read_text(), flags=re.M)[1], re.M)
    shared = [tool.removesuffix(" .") for tool in tools[:3]]
    assert [hook.replace(" --force-exclude", "") for hook in hooks] == shared


def test_coverage_has_a_floor() -> None:
    assert 80 <= CONFIG["tool"]["coverage"]["report"]["fail_under"] <= 100
    assert any(item.startswith("pytest-cov") for item in CONFIG["project"]["optional-dependencies"]["dev"])
