"""Fills in Tests/Goldens/text: what jinja2 and tokenizers make of the inputs there.

    pip install jinja2==3.1.6 tokenizers==0.23.3 && python scripts/make-goldens/text.py

The templates of templates.json, and the texts and patterns of patterns.json, are written by
hand; add to them and run this again. decode.json is random, from a fixed seed.
"""

import json
import pathlib
import random

from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

FOLDER = pathlib.Path(__file__).parents[2] / "Tests/Goldens/text"
BEHAVIORS = ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]


def read(name):
    return json.loads((FOLDER / name).read_text())


def write(name, values):
    (FOLDER / name).write_text(json.dumps(values, ensure_ascii=True) + "\n")


def templates():
    values = read("templates.json")
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    env.filters["tojson"] = lambda x, indent=None: json.dumps(
        x, ensure_ascii=False, indent=indent
    )
    for case in values["cases"]:
        case["output"] = env.from_string(case["template"]).render(
            messages=values["messages"], add_generation_prompt=True, bos_token="<s>"
        )
    write("templates.json", values)


def patterns():
    values = read("patterns.json")
    cases = []
    for pattern in dict.fromkeys(case["pattern"] for case in values["cases"]):
        for behavior in BEHAVIORS:
            for invert in (False, True):
                split = pre_tokenizers.Split(Regex(pattern), behavior=behavior, invert=invert)
                words = [[w for w, _ in split.pre_tokenize_str(t)] for t in values["texts"]]
                name = "".join(word.capitalize() for word in behavior.split("_"))
                cases.append(
                    {"pattern": pattern, "behavior": name, "invert": invert, "words": words}
                )
    write("patterns.json", {"texts": values["texts"], "cases": cases})


def piece_tokenizer():
    """Tokens 1 to 256 are bytes."""
    vocab = {"<unk>": 0, "a": 257, "\u2581b": 258, "\u2581": 259, "\u4f60": 260}
    vocab.update({f"<0x{byte:02X}>": byte + 1 for byte in range(256)})
    model = models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return tokenizer


def level_tokenizer():
    """A byte-level tokenizer without merges, and the letter for each byte."""
    ranges = [(33, 126), (161, 172), (174, 255)]
    plain = [b for b in range(256) if any(low <= b <= high for low, high in ranges)]
    others = [b for b in range(256) if b not in plain]
    letters = {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(others)}
    vocab = {letter: index for index, letter in enumerate(sorted(letters.values()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, letters


def invalid_text():
    """Byte strings, most of them not UTF-8, and what decoders make of them."""
    source = random.Random(7)
    alphabet = bytes.fromhex("412080bfc0c3a9e0a0e4bded9ff090f48ff5ffe282ac")
    pieces, (level, letters) = piece_tokenizer(), level_tokenizer()
    cases = []
    for _ in range(400):
        data = [source.choice(alphabet) for _ in range(source.randrange(1, 9))]
        ids = [b + 1 if source.random() < 0.8 else source.choice(range(257, 261)) for b in data]
        level_ids = [level.token_to_id(letters[b]) for b in data]
        cases.append(
            {
                "piece_ids": ids,
                "pieces": pieces.decode(ids, skip_special_tokens=False),
                "level_ids": level_ids,
                "level": level.decode(level_ids, skip_special_tokens=False),
            }
        )
    tokenizers = {
        "piece_tokenizer": json.loads(pieces.to_str()),
        "level_tokenizer": json.loads(level.to_str()),
    }
    write("decode.json", tokenizers | {"cases": cases})


templates()
patterns()
invalid_text()
