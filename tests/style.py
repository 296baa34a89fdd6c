#!/usr/bin/env python3
"""What every file of the repository keeps to: the form that clang-format gives, links that lead somewhere."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import case

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLANG_FORMAT = 14  # Debian 12's; another version breaks lines elsewhere


def files(*endings):
    """Paths inside the repository, without what a build makes."""
    for folder, folders, names in os.walk(REPOSITORY):
        folders[:] = [name for name in folders if not name.startswith((".", "build", "__"))]
        yield from (os.path.relpath(os.path.join(folder, name), REPOSITORY) for name in names if name.endswith(endings))


def read(path):
    with open(os.path.join(REPOSITORY, path), encoding="utf-8") as file:
        return file.read()


def test_cpp_is_as_clang_format_writes_it():
    version = subprocess.run(["clang-format", "--version"], check=True, capture_output=True, text=True).stdout
    if f"version {CLANG_FORMAT}." not in version:
        print(f"   not looked at: this is {version.strip()}, not {CLANG_FORMAT}")
        return
    command = ["clang-format", "--dry-run", "-Werror", *sorted(files(".cpp", ".h"))]
    result = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error:", result.stderr, re.M)))
    assert result.returncode == 0, f"to mend: clang-format -i {' '.join(wrong)}"


def test_links_between_documents_lead_somewhere():
    wrong = []
    for path in files(".md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", read(path)):
            if "://" not in target and not os.path.exists(os.path.join(REPOSITORY, os.path.dirname(path), target)):
                wrong.append(f"{path} -> {target}")
    assert not wrong, "; ".join(wrong)


def test_every_page_of_docs_is_in_its_table_of_contents():
    contents = read("docs/README.md")
    pages = [name for name in os.listdir(f"{REPOSITORY}/docs") if name != "README.md"]
    missing = [page for page in pages if f"({page}" not in contents]
    assert not missing, f"docs/README.md does not lead to {' '.join(missing)}"


if __name__ == "__main__":
    case.main(globals(), private=False)
