#!/usr/bin/env python3
"""Golden values of linear layers: plain and frozen weights, biases, low-rank terms."""
from golden_cases import Cases, random

cases = Cases("linear")


def linear(x, weight, bias=None):
    y = x @ weight.T
    return y if bias is None else y + bias


def adapted(x, weight, down, up, bias=None, input=None, scale=1.0):
    return linear(x, weight, bias) + scale * ((x if input is None else input) @ down.T) @ up.T


for rows, out, width in [((1,), 1, 1), ((3,), 17, 33), ((2, 3), 40, 129), ((33,), 31, 64),
                         ((64,), 33, 17)]:
    size = width ** -0.5
    x = random(*rows, width)
    weight, bias = random(out, width, seed=2, scale=size), random(out, seed=3)
    cases.add("linear", dict(x=x, weight=weight), linear)
    cases.add("linear", dict(x=x, weight=weight, bias=bias), linear)
    cases.add("linearFrozen", dict(x=x, weight=weight, bias=bias), linear, constants=["weight"])
    for rank, scale, inner in [(1, 2.0, False), (5, 0.5, True)]:
        inputs = dict(x=x, weight=weight, bias=bias, down=random(rank, width, seed=4, scale=size),
                      up=random(out, rank, seed=5, scale=rank ** -0.5))
        if inner:
            inputs["input"] = random(*rows, width, seed=6)
        cases.add("linearFrozen", inputs,
                  lambda scale=scale, **given: adapted(scale=scale, **given),
                  dict(scale=scale), constants=["weight"])
x, weight = random(2, 1100), random(35, 1100, seed=2, scale=0.03)
cases.add("linear", dict(x=x, weight=weight), linear)
cases.write()
