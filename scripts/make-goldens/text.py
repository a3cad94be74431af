"""Writes Tests/Goldens/text/templates.json, decode.json and patterns.json: what jinja2 and tokenizers say.

    pip install jinja2==3.1.6 tokenizers==0.23.3 && python scripts/make-goldens/text.py
"""

import json
import pathlib
import random

from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

HERE = pathlib.Path(__file__).parents[2] / "Tests/Goldens/text"

MESSAGES = [
    {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What's \"this\"? é\n"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "A cat. "}]},
]

TEMPLATES = [
    "{% for m in messages %}{{ loop.index }}/{{ loop.length }}{{ m.role }}{% if not loop.last %},{% endif %}{% endfor %}",
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
    "a  {%- if true -%}  b  {%- endif %}  c\n\n",
    "  {# note #}\n  x {# y #}\n{{ 1 }}\n{{ 2 }}",
    "x {%+ if true %}\n y{% endif +%}\nz",
    "{% if true %}\n\n  two{% endif %}\n  \n  {% set a = 1 %}  {{ a }}",
    "{% set ns = namespace(n=0, text='') %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% set ns.text = ns.text ~ m.role[0] %}{% endfor %}{{ ns.n }}{{ ns.text }}",
    "{% set x = 1 %}{% for i in range(3) %}{% set x = i %}{% endfor %}{{ x }}",
    "{{ messages[1:] | length }} {{ messages[-1].role }} {{ messages[::-1][0]['role'] }} {{ 'abcdef'[1:4] }} {{ 'abcdef'[::-2] }} {{ 'abc'[5:] }}",
    "{% for c in messages[1].content | selectattr('type', 'equalto', 'text') %}[{{ c.text | trim }}]{% endfor %}",
    "{{ messages[1].content | map(attribute='type') | join(', ') }} {{ messages | map(attribute='role') | list }}",
    "{{ messages | rejectattr('role', 'eq', 'user') | list | length }} {{ [1, 2, 0, 3] | select | list }} {{ [1, 2, 3] | reject('odd') | list }}",
    "{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a-b-c'.split('-', 1)[-1] }} {{ 'x'.join(['1', '2']) }}",
    "{{ 'Hello World'.upper() }} {{ 'Hello'.lower() }} {{ 'hello world'.title() }} {{ 'hELLO'.capitalize() }} {{ 'abc' | upper }} {{ \"it's\" | title }}",
    "{{ '  x '.strip() }}|{{ '  x '.lstrip() }}|{{ '  x '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ '  y ' | trim }}",
    "{{ 'a.b'.replace('.', '-') }} {{ 'aaa' | replace('a', 'b', 2) }} {{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'abc'.find('c') }} {{ 'aXbX'.count('X') }}",
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 * 3 + 1 }} {{ 'a' * 3 }} {{ 1 + 2.5 }} {{ -3 | abs if false else 'no' }}",
    "{{ 1 < 2 < 3 }} {{ 'a' < 'b' }} {{ 1 == 1.0 }} {{ 'x' in 'xyz' }} {{ 'q' not in ['a'] }} {{ not 1 }} {{ 1 and 'y' }} {{ 0 or 'z' }}",
    "{{ none }} {{ true }} {{ false }} {{ undefined_name }} {{ [1, 'a', none, true] }} {{ {'a': 1, 'b': [2]} }} {{ 1.0 }} {{ (1, 2)[1] }}",
    "{{ {'a': 'é\"\\n', 'b': [1, 2.5, none, true]} | tojson }} {{ [] | tojson }} {{ {'a': [1, {'b': 2}], 'c': {}} | tojson(indent=2) }}",
    "{{ x is defined }} {{ messages is defined }} {{ none is none }} {{ 'a' is string }} {{ {} is mapping }} {{ [] is iterable }} {{ 3 is odd }} {{ 4 is divisibleby 2 }} {{ 1 is number }} {{ true is true }} {{ 'a' is not none }} {{ 2 is in [1, 2] }}",
    "{{ missing | default('d') }} {{ '' | default('e', true) }} {{ none | default('f') }} {{ [3, 1] | first }} {{ [3, 1] | last }} {{ '12' | int + 1 }} {{ 'x' | int(7) }} {{ 3 | string ~ 'a' }} {{ [1, 2] | reverse | list }} {{ 'ab' | reverse }}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{% for k, v in {'a': 1} | items %}{{ k }}{{ v }}{% endfor %} {{ {'a': 1}.get('b', 5) }} {{ {'a': 1}.keys() | list }}",
    "{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in [] %}x{% else %}empty{% endfor %}{% for i in range(6) if i is even %}{{ i }}{{ loop.first }}{% endfor %}",
    "{% for i in [1, 2, 3] %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }}{{ loop.revindex }}{{ loop.index0 }} {% endfor %}",
    "{% set t %}in {{ 1 + 1 }}{% endset %}{{ t | upper }}{% set a, b = [1, 2] %}{{ a }}{{ b }}",
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{{ rest | length }}",
    "{{ 'a\\tb\\x41\\u00e9\\'' }} {{ \"q\\\"q\" }} {{ 'con' 'cat' }} {{ '}}' }} {{ '%}' }}",
    "{{ 'yes' if add_generation_prompt else 'no' }}{{ 'gone' if false }}{{ bos_token }}{{ -1 }} {{ +2 }} {{ 10 - 3 - 2 }} {{ 1 ~ 2 }}",
    "{{ messages[1].content[1]['text'] | length }} {{ messages | length > 2 }} {{ ('a' ~ 'b') | length }} {{ range(5, 0, -2) | list }} {{ dict(a=1)['a'] }}",
    "{%- for m in messages -%}\n  {{ m.role -}}\n  !\n{%- endfor %}\n\n",
]


def templates():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])

    def tojson(x, indent=None):
        return json.dumps(x, ensure_ascii=False, indent=indent)

    env.filters["tojson"] = tojson
    cases = []
    for source in TEMPLATES:
        out = env.from_string(source).render(messages=MESSAGES, add_generation_prompt=True, bos_token="<s>")
        cases.append({"template": source, "output": out})
    return {"messages": MESSAGES, "cases": cases}


def invalid_text():
    """Byte strings, most of them not UTF-8, and what decoders make of them."""
    r = random.Random(7)
    alphabet = [0x41, 0x20, 0x80, 0xBF, 0xC0, 0xC3, 0xA9, 0xE0, 0xA0, 0xE4, 0xBD, 0xED, 0x9F, 0xF0, 0x90, 0xF4, 0x8F, 0xF5, 0xFF, 0xE2, 0x82, 0xAC]
    vocab = {"<unk>": 0, "a": 257, "\u2581b": 258, "\u2581": 259, "\u4f60": 260}
    vocab.update({f"<0x{b:02X}>": b + 1 for b in range(256)})
    pieces = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True))
    pieces.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    level = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(letters)}, merges=[]))
    level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    level.decoder = decoders.ByteLevel()
    printable = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b <= 255]
    names = {b: chr(b) for b in printable}
    names.update({b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in printable)})
    cases = []
    for _ in range(400):
        data = [r.choice(alphabet) for _ in range(r.randrange(1, 9))]
        ids = [b + 1 if r.random() < 0.8 else r.choice([257, 258, 259, 260]) for b in data]
        level_ids = [level.token_to_id(names[b]) for b in data]
        cases.append({"piece_ids": ids, "pieces": pieces.decode(ids, skip_special_tokens=False),
                      "level_ids": level_ids, "level": level.decode(level_ids, skip_special_tokens=False)})
    return {"piece_tokenizer": json.loads(pieces.to_str()), "level_tokenizer": json.loads(level.to_str()), "cases": cases}


PATTERNS = [
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r"(?:ab|a)(?:b|c)*?d|\d{2,}|x{2}|[^\W\d]+(?=!)|\S",
    r"\p{N}",
    r"[a-c\x{4f60}]++|(?=z)z.",
]

TEXTS = [
    "I'm DON'T we'Ll he'\u017f it's 12345 x  y\n\n z\t\r\n  end   ", "a\u00a0b\u2003c\u3000d\u200be\u2028f\x85g\x0b\x0c",
    "你好,世界! ひらがなカタカナ漢字 한국어 привет ١٢٣ ½ Ⅷ ² é e\u0301 \u1f88 ǅ ʰ", "abbcd acd abd abcbcd xx xxx 1 22 hello! zz z",
    "😀👍🏽 #tag @user foo.bar/baz\\qux (a[b]{c}) \"quoted\" \ue000 \ufffd \U000e0061", "aB CamelCaseWord HTMLParser iPhone's O'Neil'S\n\n\n", "   ", "\n \n  x", "",
]


def patterns():
    cases = []
    for pattern in PATTERNS:
        for behavior in ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]:
            for invert in (False, True):
                pre = pre_tokenizers.Split(Regex(pattern), behavior=behavior, invert=invert)
                cases.append({"pattern": pattern, "behavior": "".join(w.capitalize() for w in behavior.split("_")), "invert": invert,
                              "words": [[w for w, _ in pre.pre_tokenize_str(t)] for t in TEXTS]})
    return {"texts": TEXTS, "cases": cases}


for name, values in [("templates", templates()), ("decode", invalid_text()), ("patterns", patterns())]:
    (HERE / f"{name}.json").write_text(json.dumps(values, ensure_ascii=True) + "\n")
