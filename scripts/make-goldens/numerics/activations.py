#!/usr/bin/env python3
"""Golden values of the activations."""
import torch
from torch.nn.functional import gelu, silu

from golden_cases import Cases, random

cases = Cases("activations")
for shape in [(1,), (3, 64), (5, 129)]:
    # Wide enough that tails count.
    x = random(*shape, scale=3)
    cases.add("silu", dict(x=x), lambda x: silu(x))
    cases.add("gelu", dict(x=x), lambda x: gelu(x))
    cases.add("geluTanh", dict(x=x), lambda x: gelu(x, approximate="tanh"))
    cases.add("quickGELU", dict(x=x), lambda x: x * torch.sigmoid(1.702 * x))
    cases.add("swiGLU", dict(gate=x, up=random(*shape, seed=2)), lambda gate, up: silu(gate) * up)
cases.write()
