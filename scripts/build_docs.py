"""Build the documentation, both languages, into site/: `./dev docs`.

The two languages are two projects, because the generator has one language per project.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "site"
LANGUAGES = ("ru", "en")
# the front page: nothing but the choice of a language
FRONT = """\
<!doctype html>
<meta charset="utf-8">
<title>Multi-LLM Orchestrator</title>
<script>location.replace(/^ru\\b/.test(navigator.language) ? "ru/" : "en/")</script>
<p><a href="ru/">Русский</a> · <a href="en/">English</a></p>
"""


def main() -> int:
    """Build every language; 0 if none has a broken link or another warning."""
    shutil.rmtree(SITE, ignore_errors=True)
    build = (sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file")
    codes = [subprocess.call((*build, f"zensical.{language}.toml"), cwd=ROOT) for language in LANGUAGES]
    (SITE / "index.html").write_text(FRONT)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
