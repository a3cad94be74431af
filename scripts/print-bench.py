#!/usr/bin/env python3
"""Prints a table of a benchmark's results.

The file holds {"part", "machine", "commit", "rows"}; a row has "name", "unit", "ours", and where
they mean something "peer", "ratio" (ours to peer) and "share" (of the machine's limit, 0 to 1).
"""

import json
import sys


def number(value: float | None, form: str = ",.4g") -> str:
    """A figure for people; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if form == ",.4g" and abs(value) >= 1000 else format(value, form)


def table(rows: list[dict]) -> str:
    """Lays the rows out in columns as wide as their longest cell."""
    cells = [["name", "unit", "ours", "peer", "ratio", "of limit"]]
    for row in rows:
        cells.append([
            row["name"], row["unit"], number(row["ours"]), number(row.get("peer")),
            number(row.get("ratio"), ".2f"), number(row.get("share"), ".0%"),
        ])
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    lines = []
    for line in cells:
        left = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2])]
        right = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:])]
        lines.append("  ".join(left + right))
    return "\n".join(lines)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        result = json.load(file)
    print(table(result["rows"]))
    print(f"machine: {result.get('machine', '-')}   commit: {result.get('commit', '-')}")
