"""The fit of rows to sentences: what a sentence's mean of rows should be, the model says."""

import numpy as np
import scipy.sparse as sparse

# Strength with which rows stay near what they were, in sentences: it matters to rows
# that few sentences have.
RIDGE = np.float32(0.1)
STEPS = 20
# Rarity of a token that is in nearly every sentence.
LEAST = 0.1


def bags(rows, width):
    """How often each token is in each sentence, over the sentence's length."""
    ends = np.cumsum([0] + [len(r) for r in rows])
    ids = np.concatenate([np.asarray(r, np.int64) for r in rows])
    counts = sparse.csr_matrix((np.ones(len(ids), np.float32), ids, ends), (len(rows), width))
    length = np.maximum(np.asarray(counts.sum(1)).ravel(), 1)
    return (sparse.diags(1 / length) @ counts).tocsr().astype(np.float32)


def fitted(x, aims, prior):
    """Rows E with the least |x E - aims|² + RIDGE |E - prior|², by conjugate gradients for each column."""
    aims = aims - aims.mean(0)
    made = x @ prior
    prior = prior * ((made * aims).sum() / (made * made).sum())
    back = x.T.tocsr()
    moved = np.zeros_like(prior)
    rest = back @ (aims - x @ prior)
    way, size = rest.copy(), (rest * rest).sum(0)
    for _ in range(STEPS):
        q = back @ (x @ way) + RIDGE * way
        step = size / np.maximum((way * q).sum(0), 1e-20)
        moved += step * way
        rest -= step * q
        size, before = (rest * rest).sum(0), size
        way = rest + (size / np.maximum(before, 1e-20)) * way
    return prior + moved


def rarity(x):
    """The inverse document frequency of each token."""
    return np.maximum(np.log(x.shape[0] / (1 + np.asarray((x > 0).sum(0)).ravel())), LEAST)
