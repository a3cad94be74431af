#!/usr/bin/env python3
"""Golden values of cross-entropy."""
import torch
from torch.nn.functional import cross_entropy

from golden_cases import Cases, random

cases = Cases("losses")
for rows, width in [(1, 1), (5, 64), (4, 1037)]:
    # The first row is ignored where there are others; the shift asks for a stable exponential.
    labels = torch.arange(rows) * 7 % width
    if rows > 1:
        labels[0] = -100
    logits = (random(rows, width, scale=3) + 8).bfloat16().float()
    attributes = dict(labels=labels.tolist())
    cases.add(
        "crossEntropy", dict(logits=logits),
        lambda logits: cross_entropy(logits, labels, reduction="sum"), attributes)
    cases.add(
        "crossEntropies", dict(logits=logits),
        lambda logits: cross_entropy(logits, labels, reduction="none"), attributes)
    cases.add(
        "logProbabilities", dict(logits=logits),
        lambda logits: -cross_entropy(logits, labels, reduction="none"), attributes)
for rows, width, vocabulary in [(1, 3, 1), (300, 17, 65)]:
    labels = torch.arange(rows) * 5 % vocabulary
    if rows > 1:
        labels[::7] = -100
    cases.add(
        "projectedCrossEntropy",
        dict(x=random(rows, width), weight=random(vocabulary, width, seed=2)),
        lambda x, weight: cross_entropy(x @ weight.T, labels, reduction="sum"),
        dict(labels=labels.tolist()))
cases.write()
