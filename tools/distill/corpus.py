"""Sentences for which the model is asked what they mean: definitions and examples of
WordNet 3.0, and questions and requests made of its words and of the vocabulary's.

No labelled pair of anything is in it: what a semantic cache is measured by stays unseen.
"""

import random
import re

SEED = 11

KINDS = {"noun": "data.noun", "verb": "data.verb", "adj": "data.adj", "adv": "data.adv"}

# Groups of templates that ask for the same thing. N and M are nouns, V a verb, A an
# adjective, W and X any words of the vocabulary, names among them.
GROUPS = """
how do i {V} {N}?|how can i {V} {N}?|what is the best way to {V} {N}?|how to {V} {N}|i want to {V} {N}, what should i do?|tell me how to {V} {N}|what are the steps to {V} {N}?|is there a way to {V} {N}?
how do i {V} a {N} in {W}?|how can you {V} a {N} using {W}?|{W}: how to {V} a {N}|what is the easiest way to {V} a {N} with {W}?|i need help to {V} a {N} in {W}
what is {N}?|what does {N} mean?|define {N}|what is the meaning of {N}?|explain {N} in simple terms|what do you mean by {N}?|can you explain what {N} is?
what is a {A} {N}?|explain what a {A} {N} is|what does it mean for a {N} to be {A}?|describe a {A} {N}|define {A} {N}
what is the difference between {N} and {M}?|how is {N} different from {M}?|{N} vs {M}|compare {N} and {M}|how do {N} and {M} differ?|what distinguishes {N} from {M}?
what is better, {W} or {X}?|is {W} better than {X}?|should i choose {W} or {X}?|{W} or {X}: which one is better?|why is {W} better than {X}?
how much does a {N} cost?|what is the price of a {N}?|how expensive is a {N}?|what does a {N} cost in {W}?|{N} price|is a {N} cheap?
why is {N} {A}?|what makes {N} {A}?|what is the reason that {N} is {A}?|why are {N}s so {A}?|how come {N} is {A}?|is {N} {A}?
what is the best {N} for {M}?|which {N} is best for {M}?|can you recommend a {N} for {M}?|best {N} for {M}|what are some good {N}s for {M}?|list the top {N}s for {M}
is it possible to {V} {N}?|can i {V} {N}?|am i able to {V} {N}?|can {N} be used to {V} {M}?|is there any {N} that can {V} {M}?
where can i find {N} in {W}?|where do i get {N} in {W}?|what is a good place to find {N} in {W}?|who sells {N} in {W}?|is there {N} in {W}?
what causes {N}?|why does {N} happen?|what leads to {N}?|what are the causes of {N}?|how can {N} be prevented?|what are the symptoms of {N}?
what happens if you {V} {N}?|what would happen if i {V} {N}?|what are the effects of {N}?|is it safe to {V} {N}?|what are the risks when you {V} {N}?
who is {W} {X}?|tell me about {W} {X}|what is {W} {X} known for?|who was {W} {X} of {N}?|where was {W} {X} born?|when did {W} {X} die?
write a {N} about {M}|compose a {N} on {M}|draft a {A} {N} about {M}|please write me a {N} about {M}|can you create a {N} on the topic of {M}?|summarize the {N} about {M}
how do i become a {N}?|what does it take to be a {N}?|how can i be a good {N}?|what skills does a {N} need?|what should i study to become a {N}?
how do i learn {N}?|what is the best way to learn {N}?|where should i start learning {N}?|how long does it take to learn {N}?|what are good books about {N}?
should i {V} {N} or {M}?|is it better to {V} {N} or {M}?|which should i {V}, {N} or {M}?|when should i {V} {N} instead of {M}?
how many {N}s are there in {W}?|what is the number of {N}s in {W}?|how long is a {N}?|what is the size of a {N} in {W}?|which {W} has the most {N}s?
what do you think about {W}?|what is your opinion on {W}?|is {W} good or bad?|what are the advantages of {W}?|what are the disadvantages of {W}?
my {N} is not {A}, what can i do?|why is my {N} not {A}?|how do i fix a {N} that is not {A}?|my {N} will not {V}|how do i make my {N} {A}?
what does {W} {V}?|why does {W} {V} {N}?|does {W} {V} {N}?|did {W} {V} {N}?|when did {W} {V} {N}?|how does {W} {V} {N}?
translate {N} to {W}|how do you say {N} in {W}?|what is the {W} word for {N}?|convert {N} to {M}
what is the {N} of {W}?|tell me the {N} of {W}|{W} {N}|which {N} does {W} have?|how is the {N} of {W} calculated?
the {A} {N} of {W} was {M}|in {W}, the {N} is {A}|{W} and {X} {V} the {N}|a {N} can {V} a {M}|{A} {N} and {A} {M}
"""
GROUPS = [line.split("|") for line in GROUPS.strip().split("\n")]

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


def synonyms(folder):
    """For each kind, the lemmas that share a synset with a lemma."""
    out = {}
    for kind, name in KINDS.items():
        near = out[kind] = {}
        with open(f"{folder}/{name}", encoding="utf-8") as f:
            for line in f:
                if line.startswith("  "):
                    continue
                fields = line.split(" | ", 1)[0].split()
                words = [re.sub(r"\(\w+\)$", "", w).replace("_", " ") for w in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
                for w in words:
                    near.setdefault(w, []).extend(o for o in words if o != w)
    return out


def prose(folder):
    """Definitions and examples, shuffled: the first n of them are a sample."""
    _, definitions, examples = wordnet(folder)
    out = set(examples)
    for kind in KINDS:
        for word, text in definitions[kind]:
            out.add(text)
            out.add(f"{word}: {text}")
    out = sorted(out)
    random.Random(SEED).shuffle(out)
    return out


CLUSTER = 8


def clusters(folder, tokens, n):
    """n clusters of CLUSTER sentences that are alike in different ways, one after the other.

    Of one request: three ways to ask it, two with a word replaced by a synonym, two with a
    word replaced by another, one that asks something else of the same words. Which of
    them mean the same, nobody says: the model gives the vectors. `tokens` are the
    vocabulary in its order.
    """
    r = random.Random(SEED)
    lemmas, _, _ = wordnet(folder)
    near = synonyms(folder)
    # Words that the vocabulary has whole, which are the rows that texts use most, in its
    # order, which is that of their frequency; common ones are drawn more often.
    names = [t for t in tokens if t.isalpha() and t.isascii() and len(t) > 1]
    rank = {t: i for i, t in enumerate(names)}
    kinds = {"N": "noun", "M": "noun", "V": "verb", "A": "adj"}
    whole = {k: sorted({w for w in lemmas[k] if w.lower() in rank}, key=lambda w: (rank[w.lower()], w)) for k in KINDS}

    def draw(slot):
        words = whole[kinds[slot]] if slot in kinds else names
        return words[int(len(words) * r.random() ** 2)]

    out = []
    for _ in range(n):
        group = r.choice(GROUPS)
        words = {slot: draw(slot) for slot in "NMVAWX"}

        def ask(template, words=words):
            return re.sub(r"\{(\w)\}", lambda m: words[m.group(1)], template)

        first = r.choice(group)
        slots = re.findall(r"\{(\w)\}", first)
        out += [ask(first)] + [ask(t) for t in r.choices(group, k=2)]
        for i in range(4):
            slot = r.choice(slots)
            like = near[kinds[slot]].get(words[slot]) if i < 2 and slot in kinds else None
            changed = dict(words, **{slot: r.choice(like) if like else draw(slot)})
            out.append(ask(first if i % 2 == 0 else r.choice(group), changed))
        out.append(ask(r.choice(r.choice(GROUPS))))
    return out
