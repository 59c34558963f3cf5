"""From the kernel's words to those of OpenAI's API, where that takes a decision. Pure, no I/O."""
