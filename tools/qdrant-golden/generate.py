"""Writes what Qdrant's own engine answers, for the tests of the protocol double.

    pip install -r requirements.txt
    python generate.py > ../../semcache/qdrant/double/testdata/golden.json

The engine is that of the wheel qdrant-edge-py: the code of the server without
its network. Points and questions are fixed here; nothing is random.
Filters are written as Qdrant's REST API writes them.
"""

import importlib.metadata
import json
import shutil
import sys
import tempfile

import qdrant_edge as q

DIM = 8


def vector(seed):
    """A fixed pseudo-random vector, values in [-1, 1) with four decimals."""
    state, out = (seed * 2654435761 + 1) % 2**32, []
    for _ in range(DIM):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(round(state / 2**31 - 1, 4))
    return out


POINTS = [
    {"id": 1, "vector": vector(1), "payload": {"tenant": "a", "scope": "s1", "exp": 100, "n": 1.5}},
    {"id": 2, "vector": vector(2), "payload": {"tenant": "a", "scope": "s1", "exp": 200, "n": -2.25}},
    {"id": 3, "vector": vector(3), "payload": {"tenant": "a", "scope": "s2", "exp": 300, "tags": ["x", "y"]}},
    {"id": 4, "vector": vector(4), "payload": {"tenant": "b", "scope": "s1", "exp": 100, "tags": ["y"]}},
    {"id": 5, "vector": vector(5), "payload": {"tenant": "b", "scope": "s1", "exp": [50, 400], "tags": []}},
    {"id": 6, "vector": vector(6), "payload": {"tenant": "b", "exp": None}},
    {"id": 7, "vector": vector(7), "payload": {}},
    {"id": 8, "vector": [0.0] * DIM, "payload": {"tenant": "a", "scope": "zero", "exp": 200}},
    {"id": 9, "vector": [1.0] + [0.0] * (DIM - 1), "payload": {"tenant": "a", "scope": "unit", "exp": 200}},
    {"id": 10, "vector": [3.0, 4.0] + [0.0] * (DIM - 2), "payload": {"tenant": "a", "scope": "unit", "exp": 200, "n": 7}},
    {"id": "5c56c793-69f3-4fbf-87e6-c4bf54c28c26", "vector": vector(11), "payload": {"tenant": "c", "exp": 150, "deep": {"k": "v", "list": [1, 2, 3]}}},
    {"id": 12, "vector": [-x for x in vector(1)], "payload": {"tenant": "a", "scope": "s1", "exp": 100, "tenant2": "a"}},
]


def match(key, **kw):
    return {"key": key, "match": kw}


def span(key, **kw):
    return {"key": key, "range": kw}


FILTERS = [
    {"must": [match("tenant", value="a")]},
    {"must": [match("tenant", value="a"), match("scope", value="s1")]},
    {"must": [match("tenant", value="a"), match("scope", value="s1"), span("exp", gt=100)]},
    {"must": [span("exp", gt=100)]},
    {"must": [span("exp", gte=100, lt=200)]},
    {"must": [span("exp", lte=50)]},
    {"must": [span("exp", lt=0)]},
    {"must": [span("n", gt=-3.0, lt=1.5)]},
    {"must": [span("n", gte=1.5)]},
    {"must": [match("exp", value=100)]},
    {"must": [match("exp", value=400)]},
    {"must": [match("tags", value="y")]},
    {"must": [match("tags", any=["x", "z"])]},
    {"must": [match("tags", **{"except": ["y"]})]},
    {"must": [match("exp", any=[50, 300])]},
    {"must": [match("exp", **{"except": [100, 200]})]},
    {"must": [match("exp", **{"except": ["100"]})]},
    {"must": [match("tenant", **{"except": [1]})]},
    {"must": [match("deep", **{"except": ["x"]})]},
    {"must": [match("tenant", any=[])]},
    {"must": [match("tenant", **{"except": []})]},
    {"must": [match("missing", value="a")]},
    {"must_not": [match("missing", value="a")]},
    {"must_not": [match("tenant", value="a")]},
    {"must_not": [span("exp", gt=100)]},
    {"should": [match("tenant", value="c"), match("scope", value="unit")]},
    {"should": []},
    {"must": []},
    {"must": [match("tenant", value="a")], "should": [match("scope", value="s2"), span("exp", lt=150)]},
    {"must": [match("tenant", value="a")], "must_not": [match("scope", value="s1")]},
    {"min_should": {"conditions": [match("tenant", value="a"), match("scope", value="s1"), span("exp", gt=150)], "min_count": 2}},
    {"min_should": {"conditions": [match("tenant", value="a"), match("scope", value="s1")], "min_count": 0}},
    {"must": [{"is_empty": {"key": "exp"}}]},
    {"must": [{"is_empty": {"key": "tags"}}]},
    {"must": [{"is_null": {"key": "exp"}}]},
    {"must": [{"is_null": {"key": "missing"}}]},
    {"must_not": [{"is_empty": {"key": "exp"}}]},
    {"must": [{"has_id": [1, 4, 99, "5c56c793-69f3-4fbf-87e6-c4bf54c28c26"]}]},
    {"must_not": [{"has_id": [1, 2, 3]}]},
    {"must": [{"should": [match("tenant", value="b"), match("tenant", value="c")]}, span("exp", gte=150)]},
    {"must": [match("deep.k", value="v")]},
    {"must": [match("deep.list[]", value=2)]},
    {"must": [match("deep.list", value=2)]},
    {"must": [{"key": "tags", "values_count": {"gte": 1}}]},
    {"must": [{"key": "exp", "values_count": {"gt": 1}}]},
    {"must": [{"key": "exp", "values_count": {"lt": 1}}]},
    {"must": [{"key": "tags", "values_count": {"lte": 0}}]},
    {"must": [{"key": "deep", "values_count": {"gte": 1}}]},
    {"must": [{"is_empty": {"key": "deep"}}]},
    {"must": [{"is_empty": {"key": "deep.list[]"}}]},
    {"must": [span("n", gt=7.0)]},
    {"must": [span("n", lte=7.0, gte=7.0)]},
    {"must": [span("tenant", gte=0)]},
    {"must": [match("n", value=7)]},
    {"must": [match("tenant", value="A")]},
    {"must": [match("exp", value="100")]},
]


def condition(c):
    if "has_id" in c:
        return q.HasIdCondition(set(c["has_id"]))
    if "is_empty" in c:
        return q.IsEmptyCondition(c["is_empty"]["key"])
    if "is_null" in c:
        return q.IsNullCondition(c["is_null"]["key"])
    if "key" not in c:
        return build(c)
    kw = {}
    if "match" in c:
        m = c["match"]
        if "value" in m:
            kw["match"] = q.MatchValue(m["value"])
        elif "any" in m:
            kw["match"] = q.MatchAny(m["any"])
        else:
            kw["match"] = q.MatchExcept(m["except"])
    if "range" in c:
        kw["range"] = q.RangeFloat(**{k: float(v) for k, v in c["range"].items()})
    if "values_count" in c:
        kw["values_count"] = q.ValuesCount(**c["values_count"])
    return q.FieldCondition(c["key"], **kw)


def build(f):
    if f is None:
        return None
    kw = {k: [condition(c) for c in f[k]] for k in ("must", "should", "must_not") if k in f}
    if "min_should" in f:
        m = f["min_should"]
        kw["min_should"] = q.MinShould([condition(c) for c in m["conditions"]], m["min_count"])
    return q.Filter(**kw)


def ident(i):
    return i if isinstance(i, int) else str(i)


def main():
    path = tempfile.mkdtemp()
    shard = q.EdgeShard.create(path + "/shard", q.EdgeConfig(vectors=q.EdgeVectorParams(DIM, q.Distance.Cosine)))
    shard.update(q.UpdateOperation.upsert_points([q.Point(p["id"], p["vector"], p["payload"]) for p in POINTS]))

    def ask(vec, limit=100, offset=None, threshold=None, filt=None):
        found = shard.query(q.QueryRequest(limit=limit, offset=offset, query=q.Query.Nearest(vec), filter=build(filt), score_threshold=threshold))
        question = {"vector": vec, "limit": limit}
        if offset:
            question["offset"] = offset
        if threshold is not None:
            question["score_threshold"] = threshold
        if filt is not None:
            question["filter"] = filt
        return {"ask": question, "answer": [{"id": ident(p.id), "score": p.score} for p in found]}

    unit = [1.0] + [0.0] * (DIM - 1)
    queries = [ask(vector(s)) for s in (1, 2, 21, 22)]
    queries += [ask([x * 1000 for x in vector(3)]), ask([x / 1000 for x in vector(3)]), ask([0.0] * DIM)]
    queries += [ask(vector(1), limit=3), ask(vector(1), limit=3, offset=2), ask(vector(1), limit=3, offset=50)]
    # The threshold at a score that is exact in float32 shows whether it is strict.
    queries += [ask(unit, threshold=t) for t in (1.0, 0.9999999, 0.6, 0.5999999, 0.0, -1.0)]
    queries += [ask(vector(1), threshold=0.25, filt=FILTERS[0])]
    filters = []
    for f in FILTERS:
        filters.append({"filter": f, "ids": sorted((ident(p.id) for p in shard.query(q.QueryRequest(limit=100, query=q.Query.Nearest(vector(21)), filter=build(f)))), key=str), "count": shard.count(q.CountRequest(exact=True, filter=build(f)))})
    stored = shard.retrieve([p["id"] for p in POINTS], with_payload=True, with_vector=True)
    vectors = [{"id": ident(r.id), "vector": r.vector} for r in stored]

    json.dump({
        "engine": "qdrant-edge-py " + importlib.metadata.version("qdrant-edge-py"),
        "dim": DIM, "points": POINTS, "queries": queries, "filters": filters, "stored": vectors,
    }, sys.stdout, indent=1)
    print()
    shard.close()
    shutil.rmtree(path)


if __name__ == "__main__":
    main()
