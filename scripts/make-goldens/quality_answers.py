"""Fills in Tests/Goldens/quality/answers.json: what others make of schemas and small samples.

    pip install jsonschema==4.26.0 scipy==1.12.0 && \
        python scripts/make-goldens/quality_answers.py
"""

import json
import pathlib

import jsonschema
import scipy.stats

FILE = pathlib.Path(__file__).parents[2] / "Tests/Goldens/quality/answers.json"

INVOICE = {
    "$defs": {
        "money": {"type": "number", "minimum": 0, "multipleOf": 0.01},
        "tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}},
                 "additionalProperties": False},
    },
    "type": "object",
    "required": ["number", "total"],
    "properties": {
        "number": {"type": "string", "minLength": 1, "maxLength": 5},
        "total": {"$ref": "#/$defs/money"},
        "currency": {"enum": ["EUR", "USD", None]},
        "lines": {"type": "array", "maxItems": 3, "uniqueItems": True,
                  "items": {"type": "object", "required": ["amount"],
                            "properties": {"amount": {"$ref": "#/$defs/money"}}}},
        "kind": {"const": {"a": [1, 2.0]}},
        "tree": {"$ref": "#/$defs/tree"},
    },
    "additionalProperties": {"type": ["integer", "null"]},
}
VALUES = [
    '{"number": "A1", "total": 12.5}', '{"number": "A1"}', '{"number": 3, "total": 1}',
    '{"number": "A1", "total": -1}', '{"number": "A1", "total": 1.005}',
    '{"number": "", "total": 1}', '{"number": "\\u00e4\\u00f6\\u00fc\\u00df\\u20ac", "total": 1}',
    '{"number": "123456", "total": 1}', '{"number": "A", "total": 1, "currency": null}',
    '{"number": "A", "total": 1, "currency": "GBP"}', '{"number": "A", "total": 1, "extra": 2}',
    '{"number": "A", "total": 1, "extra": 2.0}', '{"number": "A", "total": 1, "extra": "x"}',
    '{"number": "A", "total": 1, "lines": [{"amount": 1}, {"amount": 2}]}',
    '{"number": "A", "total": 1, "lines": [{"amount": 1}, {"amount": 1.0}]}',
    '{"number": "A", "total": 1, "lines": [{}]}',
    '{"number": "A", "total": 1, "lines": [1, 2, 3, 4]}',
    '{"number": "A", "total": 1, "kind": {"a": [1.0, 2]}}',
    '{"number": "A", "total": 1, "kind": {"a": [2, 1]}}',
    '{"number": "A", "total": 1, "tree": {"left": {"left": {}}}}',
    '{"number": "A", "total": 1, "tree": {"left": {"right": {}}}}', '[]', '"x"', 'null',
]
CHOICES = {
    "oneOf": [{"type": "integer", "exclusiveMinimum": 0}, {"multipleOf": 3}],
    "anyOf": [{"maximum": 100}, {"type": "string"}],
    "allOf": [{"not": {"const": 7}}],
}
SIZES = {"minProperties": 1, "maxProperties": 2, "minItems": 1, "exclusiveMaximum": 5}


def schemas():
    cases = []
    for schema, values in [
        (INVOICE, VALUES),
        (CHOICES, ["1", "3", "-3", "-4", "6.5", "7", "300", '"x"', "0", "101", "99"]),
        (SIZES, ["{}", '{"a": 1}', '{"a": 1, "b": 2, "c": 3}', "[]", "[1]", "5", "4.9", "true"]),
    ]:
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        cases.append({
            "schema": json.dumps(schema),
            "answers": [
                {"answer": value, "valid": validator.is_valid(json.loads(value))}
                for value in values
            ],
        })
    return cases


def drifts():
    """Fisher's exact test: right and wrong in the last rows, right and wrong before."""
    tables = [[[40, 10], [95, 5]], [[48, 2], [190, 10]], [[50, 0], [40, 10]], [[0, 5], [20, 0]],
              [[30, 20], [30, 20]]]
    return [
        {"table": table,
         "probability": scipy.stats.fisher_exact(table, alternative="less").pvalue}
        for table in tables
    ]


FILE.write_text(json.dumps({"schemas": schemas(), "drifts": drifts()}) + "\n")
