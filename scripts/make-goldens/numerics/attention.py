#!/usr/bin/env python3
"""Golden values of ragged attention, by an explicit softmax."""
import torch

from golden_cases import Cases, random


def attention(q, k, v, query_lengths, key_lengths, causal, scale):
    """q [N, H, K], k and v [M, G, K]"""
    group, results = q.shape[1] // k.shape[1], []
    parts = zip(q.split(query_lengths), k.split(key_lengths), v.split(key_lengths))
    for q, k, v in parts:
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scores = torch.einsum("nhk,mhk->hnm", q, k) * scale
        if causal:
            seen = torch.ones(len(q), len(k), dtype=torch.bool).tril(len(k) - len(q))
            scores = scores.masked_fill(~seen, float("-inf"))
        results.append(torch.einsum("hnm,mhk->nhk", scores.softmax(-1), v))
    return torch.cat(results)


def add(cases, query_lengths, key_lengths, heads, key_heads, width, causal):
    n, m, scale = sum(query_lengths), sum(key_lengths), width ** -0.5
    attributes = dict(queries=query_lengths, keys=key_lengths, causal=causal, scale=scale)
    cases.add(
        "attention",
        dict(q=random(n, heads, width), k=random(m, key_heads, width, seed=2),
             v=random(m, key_heads, width, seed=3)),
        lambda q, k, v: attention(q, k, v, query_lengths, key_lengths, causal, scale), attributes)


if __name__ == "__main__":
    for causal in [True, False]:
        kind = "causal" if causal else "full"
        cases = Cases(f"attention-{kind}")
        add(cases, [1], [1], 1, 1, 1, causal)
        add(cases, [1, 5, 17], [1, 5, 17], 2, 1, 7, causal)
        add(cases, [3, 1, 4], [3, 20, 9], 4, 2, 16, causal)
        add(cases, [64, 65], [64, 65], 1, 1, 24, causal)
        add(cases, [2], [150], 3, 1, 16, causal)
        cases.write()
        cases = Cases(f"attention-{kind}-wide")
        add(cases, [130], [130], 1, 1, 10, causal)
        add(cases, [5, 9], [5, 9], 2, 1, 80, causal)
        add(cases, [6], [11], 1, 1, 256, causal)
        cases.write()
