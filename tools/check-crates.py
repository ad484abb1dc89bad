#!/usr/bin/env python3
"""Checks what no compiler checks about the crates: licences, sources, and the stated Rust version.

    check-crates.py licences MANIFEST..   every crate that the manifests lock has a licence and a source that deny.toml allows
    check-crates.py rust-version          prints the one Rust version that all manifests of the project state
"""

import json
import re
import subprocess
import sys

try:
    import tomllib
except ImportError:
    sys.exit("check-crates: Python 3.11 or later is needed")


def read_toml(path):
    with open(path, "rb") as file:
        return tomllib.load(file)


def packages_of(manifest):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", manifest]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["packages"]


def permitted(expression, allowed):
    """Judges an SPDX expression: all of AND, one of OR. The old form `MIT/Apache-2.0` means OR."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def any_of():
        result = all_of()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            result = all_of() or result
        return result

    def all_of():
        result = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            result = one() and result
        return result

    def one():
        licence = tokens.pop(0)
        if licence == "(":
            result = any_of()
            tokens.pop(0)
            return result
        if tokens and tokens[0] == "WITH":
            licence = " ".join([licence, tokens.pop(0), tokens.pop(0)])
        return licence in allowed

    return any_of() and not tokens


def problems_of(package, licences, sources):
    name = f"{package['name']} {package['version']}"
    licence = package["license"]
    if not licence:
        yield f"{name} states no licence"
    elif not permitted(licence, licences):
        yield f"{name} is under '{licence}', which deny.toml doesn't allow"
    if package["source"] is not None and package["source"] not in sources:
        yield f"{name} comes from {package['source']}, which deny.toml doesn't allow"


def check_licences(manifests):
    rules = read_toml("deny.toml")
    everywhere = set(rules["licenses"]["allow"])
    exceptions = {rule["crate"]: everywhere | set(rule["allow"]) for rule in rules["licenses"].get("exceptions", [])}
    sources = {"registry+" + url for url in rules["sources"]["allow-registry"]}
    packages = {package["id"]: package for manifest in manifests for package in packages_of(manifest)}
    problems = sorted(
        problem
        for package in packages.values()
        for problem in problems_of(package, exceptions.get(package["name"], everywhere), sources)
    )
    if problems:
        sys.exit("\n".join(f"check-crates: {problem}" for problem in problems))
    print(f"{len(packages)} crates, all under permissive licences and from permitted sources")


def stated_by(manifest):
    toml = read_toml(manifest)
    stated = toml.get("workspace", {}).get("package", {}).get("rust-version")
    return stated or toml["package"].get("rust-version", "nothing")


def print_rust_version():
    manifests = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*Cargo.toml"],
        check=True, capture_output=True, text=True,
    ).stdout.split()
    expected = stated_by("Cargo.toml")
    for manifest in manifests:
        stated = stated_by(manifest)
        if stated not in (expected, {"workspace": True}):
            sys.exit(f"check-crates: {manifest} states Rust {stated}, but the workspace {expected}")
    print(expected)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["licences", *manifests] if manifests:
            check_licences(manifests)
        case ["rust-version"]:
            print_rust_version()
        case _:
            sys.exit(__doc__)
