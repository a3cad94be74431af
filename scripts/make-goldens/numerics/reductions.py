#!/usr/bin/env python3
"""Golden values of softmax, means, norms and largest elements."""
import torch

from golden_cases import Cases, random

cases = Cases("reductions")
for shape in [(1, 1), (3, 64), (2, 3, 129)]:
    x = random(*shape, scale=3)
    cases.add("softmax", dict(x=x), lambda x: x.softmax(-1))
    cases.add("argmax", dict(x=x), lambda x: x.detach().argmax(-1))
    cases.add("mean", dict(x=x), lambda x: x.mean())
    cases.add("rowMeans", dict(x=x), lambda x: x.mean(-1))
    cases.add(
        "norm", dict(a=x, b=random(7, seed=2)),
        lambda a, b: torch.cat([a.detach().flatten(), b.detach()]).norm())
    cases.add("maxAbs", dict(x=x), lambda x: x.detach().abs().max())
large = random(9001)
cases.add("norm", dict(a=large, b=large), lambda a, b: torch.cat([a, b]).detach().norm())
cases.add("maxAbs", dict(x=large), lambda x: x.detach().abs().max())
cases.write()
