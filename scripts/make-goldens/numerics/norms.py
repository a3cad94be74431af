#!/usr/bin/env python3
"""Golden values of the norms."""
import torch

from golden_cases import Cases, random

cases = Cases("norms")
for shape in [(1, 1), (3, 64), (2, 5, 129)]:
    x, weight = random(*shape), random(shape[-1], seed=2)
    cases.add(
        "rmsNorm", dict(x=x, weight=weight),
        lambda x, weight: torch.nn.functional.rms_norm(x, weight.shape, weight, 1e-6),
        dict(epsilon=1e-6))
    # An offset that the mean has to take away.
    x, bias = (x + 4).bfloat16().float(), random(shape[-1], seed=3)
    cases.add(
        "layerNorm", dict(x=x, weight=weight, bias=bias),
        lambda x, weight, bias: torch.nn.functional.layer_norm(
            x, weight.shape, weight, bias, 1e-5),
        dict(epsilon=1e-5))
cases.write()
