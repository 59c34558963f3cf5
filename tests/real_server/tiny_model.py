"""Writes a model with random weights: a real tokenizer, a real architecture, no sense, 0.7 MB.

Llama architecture, 64 dimensions, 2 layers, about 700 tokens (bytes, letters, Latin and Cyrillic syllables), F32. The
context is 2048 tokens. The weights come from a fixed seed, so the file is always the same.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

gguf: Any = import_module("gguf")  # installed for this test run only, so type checkers do not know them
np: Any = import_module("numpy")

DIMENSIONS, LAYERS, HEADS, FEED_FORWARD = 64, 2, 4, 128
CONTEXT = 2048
SPECIAL = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
TEMPLATE = "{% for m in messages %}<|im_start|>{{m.role}}\n{{m.content}}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
_ONSETS, _VOWELS = "bdklmnprstбвгдклмнрст", "aeiouаеиоу"


def _vocabulary() -> tuple[list[str], list[Any]]:
    kinds = gguf.TokenType
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    letters = [*'abcdefghijklmnopqrstuvwxyz0123456789.,{}[]:"-\n', *"абвгдежзийклмнопрстуфхцчшщъыьэюя", "▁"]
    syllables = [start + onset + vowel for start in ("", "▁") for onset in _ONSETS for vowel in _VOWELS]
    normal = letters + syllables
    types = [kinds.UNKNOWN, *[kinds.CONTROL] * (len(SPECIAL) - 1), *[kinds.BYTE] * 256, *[kinds.NORMAL] * len(normal)]
    return [*SPECIAL, *fallback, *normal], types


def _describe(writer: Any, tokens: list[str], types: list[Any]) -> None:
    writer.add_name("tiny-random")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(DIMENSIONS)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(DIMENSIONS // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([token.encode() for token in tokens])
    writer.add_token_types(types)
    normal = gguf.TokenType.NORMAL
    writer.add_token_scores([-float(rank) if kind == normal else -1000.0 for rank, kind in enumerate(types)])
    writer.add_bos_token_id(SPECIAL.index("<s>"))
    writer.add_eos_token_id(SPECIAL.index("<|im_end|>"))
    writer.add_unk_token_id(SPECIAL.index("<unk>"))
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)


def _add_weights(writer: Any, size: int) -> None:
    rng = np.random.default_rng(7)

    def random(*shape: int, scale: float = 0.2) -> Any:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    ones = np.ones(DIMENSIONS, np.float32)
    writer.add_tensor("token_embd.weight", random(size, DIMENSIONS, scale=1.0))
    for layer in range(LAYERS):
        prefix = f"blk.{layer}."
        writer.add_tensor(prefix + "attn_norm.weight", ones)
        writer.add_tensor(prefix + "ffn_norm.weight", ones)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{prefix}{name}.weight", random(DIMENSIONS, DIMENSIONS))
        writer.add_tensor(prefix + "ffn_gate.weight", random(FEED_FORWARD, DIMENSIONS))
        writer.add_tensor(prefix + "ffn_up.weight", random(FEED_FORWARD, DIMENSIONS))
        writer.add_tensor(prefix + "ffn_down.weight", random(DIMENSIONS, FEED_FORWARD))
    writer.add_tensor("output_norm.weight", ones)
    output = random(size, DIMENSIONS, scale=0.5)
    output[: len(SPECIAL) + 256] = 0  # no control tokens and no lone bytes in answers …
    output[SPECIAL.index("<|im_end|>")] = random(DIMENSIONS, scale=0.45)  # … but an end now and then
    writer.add_tensor("output.weight", output)


def write(path: Path) -> None:
    """Write the model file."""
    tokens, types = _vocabulary()
    writer = gguf.GGUFWriter(str(path), "llama")
    _describe(writer, tokens, types)
    _add_weights(writer, len(tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
