"""LangChain's standard tests that do not run here: of abilities that a provider lacks. Each stands in the docs page."""

from __future__ import annotations

RECORDING = "test_stream_time"
AUDIO = "test_audio_inputs"
PDF = "test_pdf_inputs"
PDF_RESULT = "test_pdf_tool_message"
IMAGE_RESULT = "test_image_tool_message"
IMAGE = "test_image_inputs"
SEVERAL_TOOLS = "test_tool_choice"

NOWHERE = frozenset({RECORDING, AUDIO, PDF, PDF_RESULT})
SWITCHED_OFF = {
    "TestMock": NOWHERE,
    "TestGigaChat": NOWHERE | {IMAGE_RESULT, SEVERAL_TOOLS},
    "TestYandexGpt": NOWHERE | {IMAGE, IMAGE_RESULT},
    "TestOllama": NOWHERE,
}
"""Class of tests → names of those that its capability flags switch off."""
