"""all-MiniLM-L6-v2 as numpy: the forward pass of a BERT encoder of 6 layers, and its mean pool.

No framework is needed for 22 million parameters, and without one the only pinned
thing is numpy.
"""

import json
import struct

import numpy as np
from tokenizers import Tokenizer

HEADS = 12
EPS = 1e-12


def read_safetensors(path):
    """Tensors by name, as float32 or int64 arrays."""
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
        data = f.read()
    kinds = {"F32": np.float32, "F16": np.float16, "I64": np.int64}
    out = {}
    for name, t in header.items():
        if name == "__metadata__":
            continue
        a, b = t["data_offsets"]
        out[name] = np.frombuffer(data[a:b], dtype=kinds[t["dtype"]]).reshape(t["shape"])
    return out


def layer_norm(x, gain, bias):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPS) * gain + bias


def gelu(x):
    # erf by Abramowitz and Stegun 7.1.26: its error, below 1.5e-7, is that of float32.
    z = np.abs(x) * np.float32(0.7071067811865476)
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = (1 - poly.astype(np.float32) * np.exp(-z * z)) * np.sign(x)
    return np.float32(0.5) * x * (1 + erf)


class Teacher:
    """The model of a folder with model.safetensors and tokenizer.json."""

    def __init__(self, folder):
        w = read_safetensors(f"{folder}/model.safetensors")
        self.w = {k.removeprefix("bert."): v.astype(np.float32) for k, v in w.items() if v.dtype != np.int64}
        self.layers = 1 + max(int(k.split(".")[2]) for k in self.w if k.startswith("encoder.layer."))
        self.tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()

    def linear(self, x, name):
        w = self.w
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def norm(self, x, name):
        return layer_norm(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def encode_ids(self, ids):
        """The mean-pooled vector of each row; all rows have one length, so nothing is masked."""
        ids = np.asarray(ids)
        n, length = ids.shape
        w = self.w
        x = (w["embeddings.word_embeddings.weight"][ids]
             + w["embeddings.position_embeddings.weight"][:length]
             + w["embeddings.token_type_embeddings.weight"][0])
        x = self.norm(x, "embeddings.LayerNorm")
        width = x.shape[-1]
        size = width // HEADS
        for i in range(self.layers):
            p = f"encoder.layer.{i}."

            def split(t):
                return t.reshape(n, length, HEADS, size).transpose(0, 2, 1, 3)

            flat = x.reshape(-1, width)
            q, k, v = (split(self.linear(flat, p + "attention.self." + s)) for s in ("query", "key", "value"))
            a = q @ k.transpose(0, 1, 3, 2) / np.float32(np.sqrt(size))
            a = np.exp(a - a.max(-1, keepdims=True))
            a /= a.sum(-1, keepdims=True)
            mixed = (a @ v).transpose(0, 2, 1, 3).reshape(-1, width)
            flat = self.norm(flat + self.linear(mixed, p + "attention.output.dense"), p + "attention.output.LayerNorm")
            inner = gelu(self.linear(flat, p + "intermediate.dense"))
            flat = self.norm(flat + self.linear(inner, p + "output.dense"), p + "output.LayerNorm")
            x = flat.reshape(n, length, width)
        return x.mean(1)

    def encode(self, texts, limit=128, batch_tokens=4096):
        """Unit vectors of texts, computed in groups of one length."""
        return self.encode_many([e.ids for e in self.tokenizer.encode_batch(texts)], limit, batch_tokens)

    def encode_many(self, rows, limit=128, batch_tokens=4096):
        groups = {}
        for i, ids in enumerate(rows):
            if len(ids) > limit:
                ids = ids[: limit - 1] + ids[-1:]
            groups.setdefault(len(ids), []).append((i, ids))
        out = np.zeros((len(rows), self.w["embeddings.LayerNorm.weight"].shape[0]), np.float32)
        for length in sorted(groups):
            group = groups[length]
            step = max(1, batch_tokens // length)
            for at in range(0, len(group), step):
                part = group[at : at + step]
                v = self.encode_ids([ids for _, ids in part])
                out[[i for i, _ in part]] = v / np.linalg.norm(v, axis=1, keepdims=True)
        return out
