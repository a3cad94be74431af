"""Fills in Tests/Goldens/quality/agreement.json: coefficients of agreement by other software.

    pip install krippendorff==0.9.0 statsmodels==0.15.0 irrCAC==0.4.4 && \
        python scripts/make-goldens/quality_agreement.py

The ratings are those that the packages publish with their documentation, and random ones from a
fixed seed.
"""

import json
import pathlib
import random

import krippendorff
import numpy as np
import pandas as pd
from irrCAC.raw import CAC
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

FILE = pathlib.Path(__file__).parents[2] / "Tests/Goldens/quality/agreement.json"

# The README of krippendorff: units are columns, "*" a missing vote.
README = [
    "*    *    *    *    *    3    4    1    2    1    1    3    3    *    3",
    "1    *    2    1    3    3    4    3    *    *    *    *    *    *    *",
    "*    *    2    1    3    4    4    *    2    1    1    3    3    *    4",
]
# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section D.
SECTION_D = [
    "1 2 3 3 2 1 4 1 2 * * *",
    "1 2 3 3 2 2 4 1 2 5 * 3",
    "* 3 3 3 2 3 4 2 2 5 1 *",
    "1 2 3 3 2 4 4 1 2 5 1 *",
]
# The example of statsmodels' documentation of cohens_kappa: a table of counts.
TABLE = [[10, 8, 0], [2, 13, 4], [1, 5, 20]]


def columns(lines):
    votes = [[None if v == "*" else int(v) for v in line.split()] for line in lines]
    return [list(row) for row in zip(*votes)]


def drawn(seed, rows, raters, classes, skew, missing):
    source = random.Random(seed)
    result = []
    for _ in range(rows):
        truth = 0 if source.random() < skew else source.randrange(classes)
        row = [
            None
            if source.random() < missing
            else (truth if source.random() < 0.8 else source.randrange(classes))
            for _ in range(raters)
        ]
        result.append([None if v is None else v + 1 for v in row])
    return result


def expected(rows, weights):
    frame = pd.DataFrame(rows, dtype=float).dropna(how="all")
    cac = CAC(frame, weights=weights, digits=12)
    values = {}
    for name, method in [
        ("fleissKappa", cac.fleiss),
        ("gwetAC1", cac.gwet),
        ("krippendorffAlpha", cac.krippendorff),
    ]:
        found = method()["est"]
        lower, upper = found["confidence_interval"]
        values[name] = [found["coefficient_value"], found["se"], lower, upper]
    values["percent"] = cac.gwet()["est"]["pa"]
    return values


def alphas(rows):
    data = np.array([[np.nan if v is None else v for v in row] for row in rows], float).T
    return {
        level: krippendorff.alpha(reliability_data=data, level_of_measurement=level)
        for level in ["nominal", "ordinal", "interval"]
    }


def raters(name, rows):
    case = {"name": name, "rows": rows, "alpha": alphas(rows)}
    for weights in ["identity", "linear", "quadratic"]:
        case[weights] = expected(rows, weights)
    if all(v is not None for row in rows for v in row):
        table, _ = aggregate_raters(np.array(rows))
        case["statsmodelsFleiss"] = fleiss_kappa(table)
    return case


def pairs(name, table):
    case = {"name": name, "table": table}
    for ours, theirs in [("equal", None), ("linear", "linear"), ("quadratic", "quadratic")]:
        found = cohens_kappa(np.array(table), wt=theirs)
        case[ours] = [found.kappa, found.std_kappa, found.kappa_low, found.kappa_upp]
    return case


def main():
    source = np.random.default_rng(5)
    cases = {
        "raters": [
            raters("krippendorff readme", columns(README)),
            raters("krippendorff section D", columns(SECTION_D)),
            raters("complete", drawn(1, 60, 3, 4, 0.0, 0.0)),
            raters("skewed", drawn(2, 80, 4, 3, 0.9, 0.0)),
            raters("missing", drawn(3, 70, 5, 5, 0.3, 0.4)),
        ],
        "pairs": [
            pairs("statsmodels", TABLE),
            pairs("square", source.integers(0, 30, (4, 4)).tolist()),
            pairs("skewed", [[90, 4], [3, 1]]),
        ],
    }
    FILE.write_text(json.dumps(cases) + "\n")


main()
