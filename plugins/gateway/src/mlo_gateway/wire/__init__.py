"""OpenAI's JSON: requests of clients as values of the kernel, answers of the kernel as JSON. Pure, no I/O."""
