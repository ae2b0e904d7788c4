#!/usr/bin/env python3
"""Measures a table on labelled pairs: lines of label TAB text TAB text, 1 for the same meaning; gzipped.

Prints the average precision, the precision of the best 10, 20 and 40 % of the pairs, and the share of
pairs of different meaning above the floor that keeps 95 % of the others.
"""

import argparse
import gzip
import struct

import numpy as np
from tokenizers import Tokenizer

from fit import bags
from table import dequantize


def read_table(path):
    b = open(path, "rb").read()
    _, rows, dim, size = struct.unpack("<IIII", b[4:20])
    at = 20 + size
    tokens = b[20:at].decode().split("\n")[:-1]
    scales = np.frombuffer(b[at : at + 4 * rows], "<f4")
    return tokens, dequantize(np.frombuffer(b[at + 4 * rows :], np.int8).reshape(rows, dim), scales)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--table", default="semcache/embed/table.bin")
    p.add_argument("--tokenizer", required=True, help="the model's tokenizer.json, which a run of distill.py leaves in its work folder")
    p.add_argument("pairs", nargs="+")
    a = p.parse_args()
    tokens, vectors = read_table(a.table)
    row = {t: i for i, t in enumerate(tokens)}
    tokenizer = Tokenizer.from_file(a.tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()

    def embed(texts):
        found = [[row[t] for t in e.tokens if t in row] for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
        v = bags(found, len(tokens)) @ vectors
        return v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-9)

    for path in a.pairs:
        with gzip.open(path, "rt") as f:
            lines = [line.rstrip("\n").split("\t") for line in f]
        same = np.array([int(line[0]) for line in lines])
        score = (embed([line[1] for line in lines]) * embed([line[2] for line in lines])).sum(1)
        best = same[np.argsort(-score, kind="stable")]
        precision = np.cumsum(best) / np.arange(1, len(best) + 1)
        floor = np.quantile(score[same == 1], 0.05)
        at = ", ".join(f"{precision[int(len(best) * h) - 1]:.3f} at {h:.0%}" for h in (0.1, 0.2, 0.4))
        print(f"{path.rsplit('/', 1)[-1]}: n={len(best)}, same {same.mean():.3f}, AP {(precision * best).sum() / best.sum():.4f}, "
              f"precision {at}, different above the floor {np.mean(score[same == 0] >= floor):.3f} (floor {floor:.3f})")


if __name__ == "__main__":
    main()
