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
cases.write()
