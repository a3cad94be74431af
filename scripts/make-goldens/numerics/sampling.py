#!/usr/bin/env python3
"""Golden probabilities of sampling: transformers' logits processors restated, in their order.

The order is that of `_get_logits_processor` in transformers 4.39 to 5: repetition penalty,
temperature, top-k, top-p, min-p.
"""
import torch

from golden_cases import Cases, random


def probabilities(x, previous=(), temperature=1, topK=0, topP=1, minP=0, repetitionPenalty=1):
    seen = sorted(set(previous))
    x = x.detach().clone()
    x[seen] = torch.where(x[seen] < 0, x[seen] * repetitionPenalty, x[seen] / repetitionPenalty)
    x = x / temperature
    if topK:
        x[x < x.topk(min(topK, len(x))).values[-1]] = -torch.inf
    if topP < 1:
        ascending, order = x.sort()
        remove = ascending.softmax(-1).cumsum(-1) <= 1 - topP
        remove[-1] = False
        x[order[remove]] = -torch.inf
    if minP:
        shares = x.softmax(-1)
        x[shares < minP * shares.max()] = -torch.inf
    return x.softmax(-1)


def distinct(count):
    """Logits of which no two are equal, so that no order of equals matters."""
    return torch.linspace(-6, 6, count).bfloat16().float()[
        torch.randperm(count, generator=torch.Generator().manual_seed(count))]


cases = Cases("sampling")
RULES = [
    {}, dict(temperature=0.5), dict(topK=5), dict(topK=500), dict(topP=0.7), dict(topP=1e-6),
    dict(minP=0.1), dict(repetitionPenalty=1.3), dict(repetitionPenalty=0.8),
    dict(temperature=2.5, topP=0.95), dict(topK=20, topP=0.8), dict(topK=1),
    dict(repetitionPenalty=1.5, temperature=0.7, topK=40, topP=0.9, minP=0.05),
    dict(temperature=100, topK=60),
]
for x in [distinct(101), torch.zeros(1)]:
    for rules in RULES:
        attributes = dict(rules, previous=[0, 3, 5, 3, 20] if len(x) > 1 else [0])
        cases.add("sampling", dict(x=x), lambda x: probabilities(x, **attributes), attributes)
# Equal logits stay together in top-k.
ties = (random(64, scale=2) * 2).round() / 2
cases.add("sampling", dict(x=ties), lambda x: probabilities(x, topK=9), dict(topK=9, previous=[]))
cases.write()
