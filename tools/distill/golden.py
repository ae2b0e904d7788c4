"""Vectors that hold the Go code to the tokenizer and the arithmetic of this script."""

import json
import random

import numpy as np

SEED = 20

FIXED = [
    "", " ", "hello", "Hello, World!", "How do I learn Go?", "What's the best way to learn Golang in 2026?",
    "don't can't won't it's I'm", "naïve café résumé Ångström", "ÀÉÎÕÜ àéîõü", "e\u0301 combining", "İstanbul ıstanbul",
    "北京 is the capital of 中国", "東京タワー", "안녕하세요 세계", "Привет, мир!", "γειά σου Κόσμε ΣΑΣ", "مرحبا بالعالم", "שלום עולם",
    "emoji 😀 here", "👩‍👩‍👧 family", "tab\tand\nnewline\r\nhere", "nul\x00char", "replacement \ufffd char", "soft\u00adhyphen", "zero\u200bwidth\u200dspace",
    "no\u00a0break\u2003em\u3000ideographic", "“curly” ‘quotes’ — dash – en … ellipsis", "$100.50 €20 £30 50% 1,000,000", "a+b=c; x<y>z|w~v`u^t",
    "https://example.org/a/b?c=d&e=f#g", "user@example.org", "func main() { fmt.Println(\"hi\") }", "SELECT * FROM t WHERE a_b = 'c';",
    "supercalifragilisticexpialidocious", "antidisestablishmentarianism unbelievably", "x" * 100, "x" * 101, "é" * 100, "a" * 40 + "ż" * 60, "ﬁne ligature", "½ ¼ ² ³ ℃",
    "ẞ ß ǅ ǆ", "\u1e9b\u0323 \u0344 \u0958 \u2126 \u212b", "カ\u3099 ガ ｶﾞ", "\u0e01\u0e33 \u0e40", "हिन्दी भाषा", "[CLS] [MASK] [PAD]", "##ing ing", "0x1F 3.14159 1e-9 v1.2.3",
    "\U00020000\U0002f800 \u3007 \uf900", "¿Qué? ¡Sí! «oui»", "_underscore_ snake_case camelCase", "\u2028line\u2029para", "\x7f\x80\x9f controls", "\ue000 private", "\u0378 unassigned",
]

WORDS = "the of a to how what why is best way learn cook city river bank money interest rate protein code error quickly unbelievable café Straße Москва 中 日本 42 3.5 50% C++ node.js".split()


def texts():
    r = random.Random(SEED)
    out = list(FIXED)
    for _ in range(60):
        out.append(" ".join(r.choice(WORDS) for _ in range(r.randint(1, 30))) + r.choice(["", "?", "!", "..."]))
    pools = [(0x20, 0x7E), (0xA0, 0x17F), (0x370, 0x3FF), (0x400, 0x45F), (0x3040, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xAD00), (0x2010, 0x2060), (0x1E00, 0x1EFF)]
    for _ in range(60):
        out.append("".join(chr(r.randint(*r.choice(pools))) if r.random() < 0.85 else " " for _ in range(r.randint(1, 40))))
    return out


def lines(tokenizer, tokens, vectors):
    """One JSON object a line: text, tokens (null where the tokenizer has none), first values of the vector."""
    row = {t: i for i, t in enumerate(tokens)}
    for text in texts():
        # Text in brackets is text: special tokens are not read from it.
        words = [p for w, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text)) for p in tokenizer.model.tokenize(w)]
        pieces = [p.value if p.value != "[UNK]" else None for p in words]
        v = sum((vectors[row[p]].astype(np.float64) for p in pieces if p is not None), np.zeros(vectors.shape[1]))
        n = np.linalg.norm(v)
        head = [round(float(x), 6) for x in (v / n)[:8]] if n else None
        yield json.dumps({"text": text, "tokens": pieces, "vector": head}, ensure_ascii=True)
