"""Loads adapters and merged models that this project wrote with PEFT and transformers, and compares
logits. `make test-peers` runs it.

    check_adapters.py FOLDER

FOLDER has a folder for each model and kind of adapter, written by PeerFolderTests.
"""
import glob
import json
import os
import sys
import warnings

import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText
from transformers.utils import logging

TOLERANCE = 1e-4


def first_case(base):
    with open(os.path.join(base, "golden", "cases.json"), encoding="utf-8") as file:
        name = json.load(file)["cases"][0]["name"]
    with safe_open(os.path.join(base, "golden", f"case0_{name}.safetensors"), "pt") as file:
        return {key[3:]: file.get_tensor(key) for key in file.keys() if key.startswith("in.")}


def load(folder):
    return AutoModelForImageTextToText.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()


@torch.no_grad()
def difference(model, inputs, expected):
    return float((model(**inputs).logits[0] - expected).abs().max())


def check(folder):
    with open(os.path.join(folder, "base.txt"), encoding="utf-8") as file:
        base = file.read()
    inputs = first_case(base)
    expected = load_file(os.path.join(folder, "expected.safetensors"))["logits"]
    model = load(base)
    plain = difference(model, inputs, expected)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(model, os.path.join(folder, "adapter")).eval()
    missed = [str(w.message) for w in seen if "missing" in str(w.message).lower()
              or "unexpected" in str(w.message).lower()]
    with_adapter = difference(adapted, inputs, expected)
    merged = difference(load(os.path.join(folder, "merged")), inputs, expected)
    good = with_adapter <= TOLERANCE < plain and merged <= TOLERANCE and not missed
    print(f"{'ok  ' if good else 'FAIL'} {os.path.relpath(folder, sys.argv[1])}: adapter "
          f"{with_adapter:.1e}, merged {merged:.1e}, without {plain:.1e}", *missed)
    return good


def main(root):
    logging.disable_progress_bar()
    folders = sorted(glob.glob(os.path.join(root, "*", "*", "")))
    results = [check(folder) for folder in folders]
    print(f"{sum(results)} of {len(results)} adapters equal")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
