#!/usr/bin/env python3
"""Writes a GGUF file with random weights, for llama.cpp's llama-bench to time what `zoo bench --mode decode` and `--mode prefill` time.

    random_gguf.py mamba-130m --type f32 mamba-130m-f32.gguf
    random_gguf.py ternary-370m ternary-370m.gguf

`ternary-370m` is llama.cpp's Llama with the width, depth and vocabulary of the MatMul-free 370M, its layers' weights in TQ2_0: the nearest
that llama.cpp has. Speed does not depend on the values; the files hold no vocabulary and generate nothing of use.
"""
import argparse
import array
import random
import struct

ALIGNMENT = 32
U32, F32_VALUE, STRING = 4, 6, 8          # kinds of metadata
TYPES = {"f32": 0, "f16": 1, "bf16": 30, "tq2_0": 35}
TQ2_0_VALUES, TQ2_0_BYTES = 256, 66       # 64 bytes of two-bit codes and a half-precision scale


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", choices=["mamba-130m", "ternary-370m"])
    parser.add_argument("file")
    parser.add_argument("--type", choices=["f32", "f16", "bf16"], default="f32", help="of Mamba's matrices (default f32)")
    arguments = parser.parse_args()
    metadata, tensors = mamba(arguments.type) if arguments.model == "mamba-130m" else ternary()
    with open(arguments.file, "wb") as file:
        write(file, metadata, tensors)


def mamba(kind, width=768, layers=24, vocabulary=50280, states=16, taps=4):
    inner, rank = 2 * width, -(-width // 16)
    metadata = header("mamba", vocabulary, width, layers, feed_forward=0, heads=0, context=1 << 20) + [
        ("mamba.ssm.conv_kernel", U32, taps), ("mamba.ssm.inner_size", U32, inner), ("mamba.ssm.state_size", U32, states), ("mamba.ssm.time_step_rank", U32, rank)]
    tensors = [("token_embd.weight", (width, vocabulary), kind, normal(0.02)), ("output_norm.weight", (width,), "f32", constant(1))]
    for layer in range(layers):
        tensors += [(f"blk.{layer}.{name}", shape, of, value) for name, shape, of, value in (
            ("attn_norm.weight", (width,), "f32", constant(1)), ("ssm_in.weight", (width, 2 * inner), kind, normal(0.03)),
            ("ssm_conv1d.weight", (taps, inner), "f32", normal(0.3)), ("ssm_conv1d.bias", (inner,), "f32", normal(0.1)),
            ("ssm_x.weight", (inner, rank + 2 * states), kind, normal(0.02)), ("ssm_dt.weight", (rank, inner), kind, normal(0.1)),
            ("ssm_dt.bias", (inner,), "f32", constant(-4)), ("ssm_a", (states, inner), "f32", constant(-4)), ("ssm_d", (inner,), "f32", constant(1)),
            ("ssm_out.weight", (inner, width), kind, normal(0.02)))]
    return metadata, tensors


def ternary(width=1024, layers=24, vocabulary=32000, feed_forward=2816, heads=16):
    metadata = header("llama", vocabulary, width, layers, feed_forward, heads, context=4096) + [
        ("llama.attention.head_count_kv", U32, heads), ("llama.rope.dimension_count", U32, width // heads)]
    tensors = [("token_embd.weight", (width, vocabulary), "f16", normal(0.02)), ("output_norm.weight", (width,), "f32", constant(1)),
               ("output.weight", (width, vocabulary), "f16", normal(0.02))]
    for layer in range(layers):
        tensors += [(f"blk.{layer}.{name}_norm.weight", (width,), "f32", constant(1)) for name in ("attn", "ffn")]
        tensors += [(f"blk.{layer}.{name}.weight", shape, "tq2_0", None) for name, shape in (
            ("attn_q", (width, width)), ("attn_k", (width, width)), ("attn_v", (width, width)), ("attn_output", (width, width)),
            ("ffn_gate", (width, feed_forward)), ("ffn_up", (width, feed_forward)), ("ffn_down", (feed_forward, width)))]
    return metadata, tensors


def header(architecture, vocabulary, width, layers, feed_forward, heads, context):
    return [("general.architecture", STRING, architecture), ("general.name", STRING, "random weights"), ("tokenizer.ggml.model", STRING, "no_vocab")] + [
        (f"{architecture}.{key}", U32, value) for key, value in (
            ("vocab_size", vocabulary), ("context_length", context), ("embedding_length", width), ("feed_forward_length", feed_forward),
            ("attention.head_count", heads), ("block_count", layers))] + [(f"{architecture}.attention.layer_norm_rms_epsilon", F32_VALUE, 1e-5)]


def normal(deviation):
    return lambda source: source.gauss(0, deviation)


def constant(value):
    return lambda source: float(value)


def write(file, metadata, tensors):
    """GGUF, version 3: header, metadata, one entry a tensor, then their bytes, each on a multiple of 32."""
    file.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
    for key, kind, value in metadata:
        file.write(text(key) + struct.pack("<I", kind) + (text(value) if kind == STRING else struct.pack("<I" if kind == U32 else "<f", value)))
    offset = 0
    for name, shape, kind, _ in tensors:
        file.write(text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, TYPES[kind], offset))
        offset += aligned(size(shape, kind))
    file.write(bytes(-file.tell() % ALIGNMENT))
    source = random.Random(1)
    for _, shape, kind, value in tensors:
        length = size(shape, kind)
        pattern = sample(kind, value, source, length)
        file.write((pattern * (length // len(pattern) + 1))[:length] + bytes(-length % ALIGNMENT))


def sample(kind, value, source, length, count=1 << 14):
    """Random bytes of that kind, which are repeated over the tensor: 64 KiB of float32 are random enough for a clock."""
    if kind == "tq2_0":
        return b"".join(bytes(sum(source.choice((0, 1, 2)) << 2 * place for place in range(4)) for _ in range(TQ2_0_BYTES - 2)) + struct.pack("<e", 0.03)
                        for _ in range(64))
    values = [value(source) for _ in range(min(count, length // 2))]
    if kind == "f16":
        return b"".join(struct.pack("<e", v) for v in values)
    floats = array.array("f", values).tobytes()
    return floats if kind == "f32" else b"".join(floats[i + 2:i + 4] for i in range(0, len(floats), 4))


def size(shape, kind):
    values = 1
    for length in shape:
        values *= length
    return values // TQ2_0_VALUES * TQ2_0_BYTES if kind == "tq2_0" else values * (4 if kind == "f32" else 2)


def aligned(length):
    return -(-length // ALIGNMENT) * ALIGNMENT


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


if __name__ == "__main__":
    main()
