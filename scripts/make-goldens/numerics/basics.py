#!/usr/bin/env python3
"""Golden values of arithmetic, sums and conversions."""
from golden_cases import Cases, random

cases = Cases("basics")
for shape in [(1,), (3, 17), (2, 5, 129)]:
    a, b = random(*shape), random(*shape, seed=2)
    cases.add("add", dict(a=a, b=b), lambda a, b: a + b)
    cases.add("multiply", dict(a=a, b=b), lambda a, b: a * b)
    row = random(shape[-1], seed=3)
    cases.add("add", dict(a=a, b=row), lambda a, b: a + b)
    cases.add("multiply", dict(a=a, b=row), lambda a, b: a * b)
    cases.add("scale", dict(x=a), lambda x: x * -1.5, dict(factor=-1.5))
    cases.add("sum", dict(x=a), lambda x: x.sum())
cases.add("sum", dict(x=random(9001)), lambda x: x.sum())
cases.add("reshape", dict(x=random(4, 6)), lambda x: x.reshape(3, 8), dict(shape=[3, 8]))
cases.write()
