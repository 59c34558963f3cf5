"""Compare the public API of kernel and SDK with that of an older commit: `./dev api [REF]`.

Without REF: with the newest release among the ancestors of this commit, a tag such as 1.2.3 or v1.2.3. What would
break somebody's code is printed, one line each, and makes the exit code 1. Only sources are read, nothing is imported.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import griffe
from griffe_attrs import Attrs

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"mlo": "core/src", "mlo_sdk": "sdk/src"}

_RELEASE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_COLOUR = re.compile(r"\x1b\[\d*m")


def git(root: Path, *arguments: str | Path) -> str:
    """What git prints; its own message goes to standard error.

    Raises:
        subprocess.CalledProcessError: when git refuses.
    """
    command = ("git", "-C", root, *arguments)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def last_release(root: Path) -> str | None:
    """The release tag with the highest version that this commit descends from."""
    tags = (_RELEASE.fullmatch(tag) for tag in git(root, "tag", "--merged", "HEAD").splitlines())
    versions = {tuple(int(part) for part in tag.groups()): tag[0] for tag in tags if tag}
    return versions[max(versions)] if versions else None


def extract(root: Path, ref: str, folder: Path) -> None:
    """Write the sources of both packages, as they were at that commit, into a folder."""
    commit = git(root, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
    archive = folder / "sources.zip"
    git(root, "archive", "--format=zip", f"--output={archive}", commit, "--", *PACKAGES.values())
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)


def load(root: Path) -> dict[str, griffe.Object | griffe.Alias]:
    """Both packages as their sources describe them."""
    loader = griffe.GriffeLoader(
        search_paths=[root / path for path in PACKAGES.values()],
        extensions=griffe.load_extensions(Attrs),
        allow_inspection=False,
    )
    loaded = {name: loader.load(name, try_relative_path=False) for name in PACKAGES}
    loader.resolve_aliases(external=False)
    return loaded


def breakages(old: Path, new: Path) -> Iterator[str]:
    """One line for each change between two checkouts that may break a caller."""
    before, after = load(old), load(new)
    for name in PACKAGES:
        for breakage in griffe.find_breaking_changes(before[name], after[name]):
            line = _COLOUR.sub("", breakage.explain())  # griffe colours its lines, pipe or not
            yield line.removeprefix(f"{old}/").removeprefix(f"{new}/")


def main(arguments: list[str], root: Path = ROOT) -> int:
    """0: nothing breaks, or there is no release yet; 1: something does; 2: no such commit."""
    ref = arguments[0] if arguments else last_release(root)
    if ref is None:
        print("no release tag yet, such as 0.1.0: nothing to compare with")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        try:
            extract(root, ref, Path(folder))
        except subprocess.CalledProcessError:
            print(f"{ref} is not a commit with {' and '.join(PACKAGES.values())} in it", file=sys.stderr)
            return 2
        found = list(breakages(Path(folder), root))
    for line in found:
        print(line)
    print(f"{len(found)} breaking changes since {ref}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
