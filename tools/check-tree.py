#!/usr/bin/env python3
"""Checks the tree itself: no path of somebody's machine, links that lead somewhere, files that stay readable in one sitting."""

import re
import subprocess
import sys
from pathlib import Path

LONGEST_RUST_FILE = 700

# Where a path begins: not in the middle of a longer one, nor after a variable.
HOME_PATH = re.compile(r"""(?:^|[\s=(:,`<]["']?)/(?:home|root|Users|work)/[\w.]""")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)[^)]*\)")


def text_files():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    ).stdout
    for name in sorted(filter(None, listed.split("\0"))):
        path = Path(name)
        if not path.is_file():
            continue
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def home_paths(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if HOME_PATH.search(line):
            yield f"{path}:{number}: a path of somebody's machine: {line.strip()[:80]}"


def dead_links(path, text):
    for target in LINK.findall(text):
        if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists():
            yield f"{path}: a link to {target}, which isn't there"


def too_long(path, text):
    lines = text.count("\n")
    if lines > LONGEST_RUST_FILE:
        yield f"{path}: {lines} lines; over {LONGEST_RUST_FILE} it is more than one idea: split it"


def problems():
    for path, text in text_files():
        if path != Path("tools/check-tree.py"):
            yield from home_paths(path, text)
        if path.suffix == ".md":
            yield from dead_links(path, text)
        if path.suffix == ".rs":
            yield from too_long(path, text)


if __name__ == "__main__":
    found = list(problems())
    if found:
        sys.exit("\n".join(f"check-tree: {problem}" for problem in found))
    print("no paths of a machine, no dead links, no file too long")
