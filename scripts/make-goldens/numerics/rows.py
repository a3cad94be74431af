#!/usr/bin/env python3
"""Golden values of the ops that move rows and columns."""
import torch

from golden_cases import Cases, random

cases = Cases("rows")
for width in [1, 16, 37]:
    # Row 4 is used three times, rows 0 and 3 never.
    ids = [4, 1, 4, 2, 5, 4, 1]
    x = random(6, width)
    cases.add(
        "embedding", dict(table=x), lambda table: torch.nn.functional.embedding(
            torch.tensor(ids), table), dict(ids=ids))
    cases.add(
        "gathered", dict(x=x.reshape(6, 1, width)), lambda x: x[ids], dict(rows=ids))
    cases.add(
        "replacing", dict(x=x, values=random(2, width, seed=2)),
        lambda x, values: x.index_copy(0, torch.tensor([5, 2]), values), dict(rows=[5, 2]))
    cases.add(
        "concatenated", dict(a=x, b=random(1, width, seed=2), c=random(3, width, seed=3)),
        lambda a, b, c: torch.cat([a, b, c]))
    cases.add("rows", dict(x=x), lambda x: x[1:4], dict(range=[1, 4]))
    cases.add("columns", dict(x=x), lambda x: x[:, width // 2:], dict(range=[width // 2, width]))
    is_first = [False, True, True, False, False, True]
    cases.add(
        "experts", dict(x=x),
        lambda x: torch.where(torch.tensor(is_first)[:, None], 2 * x, x * x),
        dict(isFirst=is_first))
for part in [1, 19]:
    cases.add(
        "swappedColumns", dict(x=random(2, 3, 3 * part)),
        lambda x: torch.cat([x[..., 2 * part:], x[..., :part] * x[..., part:2 * part]]),
        dict(widths=[part] * 3))
cases.add("experts", dict(x=random(2, 3)), lambda x: x * x, dict(isFirst=[False, False]))
cases.write()
