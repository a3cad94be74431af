#!/usr/bin/env python3
"""One measurement of transformers with PEFT and bitsandbytes, in a process of its own.

    peer.py train|decode FOLDER TYPE FORMAT RUNS

TYPE is float32 or bfloat16, FORMAT none or nf4 (double quantisation, language model only). Prints
one JSON object: medians, and the most memory the process held.
"""

import json
import os
import resource
import statistics
import sys
import time

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "2"}

import torch  # noqa: E402
from PIL import Image  # noqa: E402
from transformers import (AutoTokenizer, BitsAndBytesConfig,  # noqa: E402
                          LlavaNextForConditionalGeneration, LlavaNextImageProcessor,
                          LlavaNextProcessor)

QUESTION = "USER: <image>\nWhat is in the picture? Describe it. ASSISTANT:"
ANSWER = " A red car next to two people. "
TARGETS = (r".*language_model.*\.(self_attn\.(q_proj|k_proj|v_proj|o_proj)"
           r"|mlp\.(gate_proj|up_proj|down_proj))")


def load(folder: str, kind: str, form: str) -> LlavaNextForConditionalGeneration:
    """The model, as its users load it."""
    dtype = getattr(torch, kind)
    extra = {}
    if form == "nf4":
        extra = {"device_map": "cpu", "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype, llm_int8_skip_modules=[
                "model.vision_tower", "model.multi_modal_projector", "lm_head"])}
    return LlavaNextForConditionalGeneration.from_pretrained(
        folder, dtype=dtype, attn_implementation="sdpa", **extra)


def encoded(folder: str, text: str, kind: str) -> dict:
    """Tokens and pixels of the conversation."""
    settings = json.load(open(f"{folder}/processor_config.json", encoding="utf-8"))
    processor = LlavaNextProcessor(
        LlavaNextImageProcessor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder),
        patch_size=settings["patch_size"], image_token=settings["image_token"],
        vision_feature_select_strategy=settings["vision_feature_select_strategy"],
        num_additional_image_tokens=settings["num_additional_image_tokens"])
    picture = Image.open(f"{folder}/picture.png").convert("RGB")
    inputs = dict(processor(text=[text], images=[picture], return_tensors="pt"))
    inputs["pixel_values"] = inputs["pixel_values"].to(getattr(torch, kind))
    return inputs


def train(folder: str, kind: str, form: str, runs: int) -> dict:
    """Forward, backward, clipping and AdamW on LoRA of rank 8."""
    from peft import LoraConfig, get_peft_model
    model = get_peft_model(load(folder, kind, form), LoraConfig(
        r=8, lora_alpha=16, lora_dropout=0.0, target_modules=TARGETS))
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.0)
    inputs = encoded(folder, QUESTION + ANSWER, kind)
    prompt = encoded(folder, QUESTION, kind)["input_ids"].shape[1]
    inputs["labels"] = inputs["input_ids"].clone()
    inputs["labels"][:, :prompt] = -100
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        model(**inputs).loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        seconds.append(time.perf_counter() - start)
    return {"step_seconds_median": statistics.median(seconds[1:]),
            "tokens": inputs["input_ids"].shape[1]}


def decode(folder: str, kind: str, form: str, runs: int) -> dict:
    """A greedy answer of 33 tokens: the first, then the rate of the others."""
    model = load(folder, kind, form).eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    inputs = encoded(folder, QUESTION, kind)
    first, rates = [], []
    for _ in range(runs + 1):
        start = time.perf_counter()
        model.generate(**inputs, max_new_tokens=1, do_sample=False)
        middle = time.perf_counter()
        model.generate(**inputs, max_new_tokens=33, do_sample=False)
        whole = time.perf_counter() - middle
        first.append(middle - start)
        rates.append(32 / (whole - first[-1]))
    return {"first_token_seconds_median": statistics.median(first[1:]),
            "tokens_per_second_median": statistics.median(rates[1:]),
            "context_tokens": inputs["input_ids"].shape[1]}


def main() -> None:
    """Measures what the arguments say."""
    mode, folder, kind, form, runs = sys.argv[1:6]
    torch.set_num_threads(2)
    torch.manual_seed(0)
    result = (train if mode == "train" else decode)(folder, kind, form, int(runs))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(result | {"peak_resident_bytes": peak}))


if __name__ == "__main__":
    main()
