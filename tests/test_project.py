"""The frame holds: folders, links and setup.cfg tell one story, the library imports relatively."""

from __future__ import annotations

import ast
import configparser
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINKED = ("actors", "runtime", "storage")


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def listed_packages() -> list[str]:
    return setup_cfg()["options"]["packages"].split()


def mapped_folders() -> dict[str, str]:
    lines = setup_cfg()["options"]["package_dir"].strip().splitlines()
    pairs = (line.split("=") for line in lines)
    return {package.strip(): folder.strip() for package, folder in pairs}


def package_folders() -> Iterator[tuple[str, Path]]:
    """Every folder that is a package, by the name it is imported under; the links are left out."""
    for package, top in mapped_folders().items():
        for folder, _, files in os.walk(ROOT / top):
            if "__init__.py" in files:
                below = Path(folder).relative_to(ROOT / top).parts
                yield ".".join((package, *below)), Path(folder)


def library_files() -> list[Path]:
    return sorted(path for _, folder in package_folders() for path in folder.glob("*.py"))


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_setup_cfg_lists_exactly_the_package_folders() -> None:
    found = [name for name, _ in package_folders()]

    assert sorted(found) == sorted(listed_packages())


def test_setup_cfg_lists_packages_in_order() -> None:
    listed = listed_packages()

    assert listed == sorted(listed)


@pytest.mark.parametrize("name", LINKED)
def test_a_top_level_folder_is_imported_as_part_of_greenroom(name: str) -> None:
    spec = find_spec(f"greenroom.{name}")

    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).samefile(ROOT / name / "__init__.py")


@pytest.mark.parametrize("name", LINKED)
def test_a_link_is_relative(name: str) -> None:
    link = ROOT / "greenroom" / name

    assert not link.is_symlink() or os.readlink(link) == f"../{name}"  # a checkout without links has the mapping alone


def test_the_typing_marker_is_shipped() -> None:
    data = setup_cfg()["options.package_data"]["greenroom"].split()

    assert "py.typed" in data
    assert (ROOT / "greenroom" / "py.typed").is_file()


def test_both_checkers_report_a_claim_about_types_that_no_longer_holds() -> None:
    pragma = "# pyright: reportUnnecessaryTypeIgnoreComment=true"
    silent = [path.name for path in (ROOT / "tests" / "typing").glob("*.py") if pragma not in path.read_text("utf-8")]

    assert silent == []
    assert setup_cfg()["mypy"]["strict"] == "True"


def test_library_code_imports_relatively() -> None:
    absolute: list[str] = []
    for path in library_files():
        for node in ast.walk(ast.parse(path.read_bytes())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            if isinstance(node, ast.Import | ast.ImportFrom) and any(n.split(".")[0] == "greenroom" for n in names):
                absolute.append(where(path, node.lineno))

    assert absolute == []


def test_every_library_module_says_what_it_is() -> None:
    silent = [where(path, 1) for path in library_files() if not ast.get_docstring(ast.parse(path.read_bytes()))]

    assert silent == []


def test_library_code_is_finished() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
    found = [
        where(path, number)
        for path in library_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if unfinished.search(line)
    ]

    assert found == []


def test_the_changelog_has_a_place_for_the_next_release() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert re.search(r"^## \[Unreleased\]$", changelog, re.MULTILINE)


def test_the_python_of_the_readme_can_be_parsed() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    blocks = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)

    assert blocks
    for block in blocks:
        ast.parse(block)
