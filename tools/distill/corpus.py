"""Sentences for which the model is asked what they mean: definitions and examples of
WordNet 3.0, and questions and requests made of its words and of the vocabulary's.

No labelled pair of anything is in it: what a semantic cache is measured by stays unseen.
"""

import random
import re

SEED = 11

KINDS = {"noun": "data.noun", "verb": "data.verb", "adj": "data.adj", "adv": "data.adv"}

# N noun, V verb, A adjective, D definition of a noun, W any word of the vocabulary.
# Same letters in one template are different words.
TEMPLATES = """
what is {N}?|what is a {N}?|what does {W} mean?|what is the meaning of {W}?|define {N}|explain {N} in simple terms
what is the best {N}?|what is the best {N} for {N}?|what are the best {N}s in {W}?|which is the best way to {V} {N}?|what are some good {N}s?
how do i {V} a {N}?|how can i {V} my {N}?|how do you {V} {N}?|how to {V} {N}|how should i {V} {N} for {N}?|how can i {V} {N} without {N}?
how does {N} work?|how does a {N} {V} {N}?|how much does a {N} cost?|how long does it take to {V} a {N}?|how many {N}s are there in {W}?
why is {N} {A}?|why do {N}s {V}?|why does my {N} {V}?|why is {W} so {A}?|why do people {V} {N}s?|why did {W} {V} {W}?
is {N} {A}?|is it {A} to {V} a {N}?|is {W} better than {W}?|is there a {N} that can {V} {N}?|are {N}s {A}?|is {W} a {N}?
what is the difference between {N} and {N}?|what is the difference between {W} and {W}?|{N} vs {N}|which is more {A}, {N} or {N}?
can i {V} {N} and {N}?|can {N} {V} {N}?|can you {V} a {N} with a {N}?|can a {N} be {A}?|should i {V} {N} or {N}?|should {N} be {A}?
who is {W} {W}?|who was the {A} {N} of {W}?|who invented the {N}?|where is {W}?|where can i find {A} {N}s?|where can i {V} {N} in {W}?
when did {W} {V}?|when should i {V} my {N}?|when was {W} {W} born?|what happened to {W}?|what happens when you {V} a {N}?|what happens if {N} is {A}?
what are the {N}s of {N}?|what are the advantages of {N}?|what are the symptoms of {N}?|what causes {N}?|what is the {N} of {W}?|what would happen if {W} {V} {W}?
write a {N} about {N}|write a {A} {N} to {V} {N}|summarize the {N} about {W}|translate {W} to {W}|give me a list of {N}s|list {A} {N}s for a {N}
i want to {V} a {N}, what should i do?|my {N} is {A}, how can i {V} it?|tell me about {W}|tell me how to {V} {N}s|please {V} the {N}
how do i {V} {W} on {W}?|does {W} {V} {N}?|do {N}s {V} {N}s?|did {W} {W} {V}?|will {W} {V} {N}?|what do you think about {W}?
what is it called when {D}?|what do you call {D}?|is a {N} {D}?|what is the name of {D}?
the {N} of the {N} is {A}|a {A} {N} can {V} {N}|{W} {W} and {W}|{A} {N} in {W}|{W} {V} the {N}|{N} {N}|{A} {N}|{V} {N}|{W} {W}
error {W} when i {V} {N}|{W} {N} not {V} {N}|how to fix {A} {N} in {W}?|install {W} on {W}|convert {N} to {N}|{V} a {N} in {W} using {N}
""".replace("\n", "|").strip("|").split("|")

QUOTED = re.compile(r'"([^"]+)"')


def wordnet(folder):
    """Lemmas by kind, definitions by kind, and examples, in the files' order."""
    lemmas, definitions, examples = {}, {}, []
    for kind, name in KINDS.items():
        lemmas[kind], definitions[kind] = [], []
        with open(f"{folder}/{name}", encoding="utf-8") as f:
            for line in f:
                if line.startswith("  "):
                    continue
                fields, gloss = line.rstrip().split(" | ", 1)
                fields = fields.split()
                words = int(fields[3], 16)
                for w in fields[4 : 4 + 2 * words : 2]:
                    lemmas[kind].append(re.sub(r"\(\w+\)$", "", w).replace("_", " "))
                examples += QUOTED.findall(gloss)
                text = QUOTED.sub("", gloss).strip(" ;")
                if text:
                    definitions[kind].append((lemmas[kind][-words], text))
    return lemmas, definitions, examples


def common(words, known, r):
    """Words of a kind, those that the vocabulary has whole five times as often."""
    seen = sorted(set(words))
    whole = [w for w in seen if w.lower() in known]
    rest = [w for w in seen if w.lower() not in known and len(w) < 25]
    r.shuffle(rest)
    return whole * max(1, 4 * len(rest) // max(1, len(whole)) // 4) + rest


def sentences(folder, tokens, questions):
    """All sentences, shuffled: the first n of them are a sample."""
    r = random.Random(SEED)
    lemmas, definitions, examples = wordnet(folder)
    known = {t for t in tokens if t.isalpha() and t.isascii()}
    # Words that the vocabulary has whole, each as often as any other: rare names must be met, too.
    words = sorted(w for w in known if len(w) > 1)
    slots = {
        "N": common(lemmas["noun"], known, r),
        "V": common(lemmas["verb"], known, r),
        "A": common(lemmas["adj"], known, r),
        "D": [d for _, d in definitions["noun"] if len(d) < 80],
        "W": words,
    }
    out = set(examples)
    for kind in KINDS:
        for word, text in definitions[kind]:
            out.add(text)
            out.add(f"{word}: {text}")
    out = sorted(out)
    r.shuffle(out)
    made = set()
    while len(made) < questions:
        template = r.choice(TEMPLATES)
        made.add(re.sub(r"\{(\w)\}", lambda m: r.choice(slots[m.group(1)]), template))
    out += sorted(made)
    r.shuffle(out)
    return out
