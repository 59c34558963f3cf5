"""What the package loads, and what the standard tests leave out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.sources import ROOT
from tests.plugins.langchain import test_langchain_standard_chat as standard
from tests.plugins.langchain.switched_off import (
    AUDIO,
    IMAGE,
    IMAGE_RESULT,
    PDF,
    PDF_RESULT,
    RECORDING,
    SEVERAL_TOOLS,
    SWITCHED_OFF,
)

_FLAGS = {
    AUDIO: "supports_audio_inputs",
    IMAGE: "supports_image_inputs",
    IMAGE_RESULT: "supports_image_tool_message",
    PDF: "supports_pdf_inputs",
    PDF_RESULT: "supports_pdf_tool_message",
    RECORDING: "enable_vcr_tests",
    SEVERAL_TOOLS: "has_tool_choice",
}
_CASES = [(name, test) for name, tests in SWITCHED_OFF.items() for test in sorted(tests)]


def test_importing_the_package_loads_nothing_else_of_langchain() -> None:
    program = "import sys, mlo_langchain; print(*{name.partition('.')[0] for name in sys.modules})"
    command = (sys.executable, "-c", program)
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert {name for name in loaded if name.startswith("lang")} <= {
        "langchain_core",
        "langchain_protocol",
        "langsmith",
    }
    assert loaded & {"numpy", "openai", "mlo_gigachat", "mlo_mock", "mlo_sdk", "tiktoken", "transformers"} == set()


@pytest.mark.parametrize(("name", "test"), _CASES)
def test_a_flag_switches_the_test_off(name: str, test: str) -> None:
    cases = getattr(standard, name)()
    assert callable(getattr(cases, test))
    assert getattr(cases, _FLAGS[test]) is False


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("test", sorted(_FLAGS))
def test_the_page_gives_the_reason(test: str, language: str) -> None:
    page = (ROOT / "docs" / language / "how-to" / "langchain.md").read_text()
    assert f"| `{test}` |" in page
