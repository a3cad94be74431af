#!/usr/bin/env python3
"""Makes a model to measure with: LLaVA-NeXT of 198 million random parameters in bfloat16.

    medium.py FOLDER TOKENIZER_FOLDER

The tokenizer and the template are those of a folder that is there already; its picture of 672 x 672
becomes 2,928 tokens. Weights are drawn from a fixed seed, so every run measures the same model.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy
from PIL import Image
from safetensors.numpy import save_file

WIDTH, INNER, LAYERS, VOCABULARY = 1024, 2816, 12, 8000
TOWER_WIDTH, TOWER_INNER, TOWER_LAYERS, TILE, PATCH = 512, 2048, 8, 336, 14
PINPOINTS = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                   "added_tokens.json", "chat_template.json"]


def linear(path: str, rows: int, columns: int, bias: bool = False) -> dict[str, tuple]:
    """Shapes of a linear layer."""
    return {f"{path}.weight": (rows, columns)} | ({f"{path}.bias": (rows,)} if bias else {})


def norm(path: str, width: int, bias: bool = False) -> dict[str, tuple]:
    """Shapes of a norm."""
    return {f"{path}.weight": (width,)} | ({f"{path}.bias": (width,)} if bias else {})


def language_shapes() -> dict[str, tuple]:
    """Every tensor of the language model."""
    root = "language_model.model"
    shapes = {f"{root}.embed_tokens.weight": (VOCABULARY, WIDTH)}
    for index in range(LAYERS):
        layer = f"{root}.layers.{index}"
        for name in "qkvo":
            shapes |= linear(f"{layer}.self_attn.{name}_proj", WIDTH, WIDTH)
        shapes |= linear(f"{layer}.mlp.gate_proj", INNER, WIDTH)
        shapes |= linear(f"{layer}.mlp.up_proj", INNER, WIDTH)
        shapes |= linear(f"{layer}.mlp.down_proj", WIDTH, INNER)
        shapes |= norm(f"{layer}.input_layernorm", WIDTH)
        shapes |= norm(f"{layer}.post_attention_layernorm", WIDTH)
    return shapes | norm(f"{root}.norm", WIDTH) | linear(
        "language_model.lm_head", VOCABULARY, WIDTH)


def vision_shapes() -> dict[str, tuple]:
    """Every tensor of tower and projector."""
    root = "vision_tower.vision_model"
    shapes = {
        f"{root}.embeddings.class_embedding": (TOWER_WIDTH,),
        f"{root}.embeddings.patch_embedding.weight": (TOWER_WIDTH, 3, PATCH, PATCH),
        f"{root}.embeddings.position_embedding.weight": ((TILE // PATCH) ** 2 + 1, TOWER_WIDTH),
        "image_newline": (WIDTH,),
    }
    for index in range(TOWER_LAYERS):
        layer = f"{root}.encoder.layers.{index}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= linear(f"{layer}.self_attn.{name}", TOWER_WIDTH, TOWER_WIDTH, bias=True)
        shapes |= linear(f"{layer}.mlp.fc1", TOWER_INNER, TOWER_WIDTH, bias=True)
        shapes |= linear(f"{layer}.mlp.fc2", TOWER_WIDTH, TOWER_INNER, bias=True)
        shapes |= norm(f"{layer}.layer_norm1", TOWER_WIDTH, bias=True)
        shapes |= norm(f"{layer}.layer_norm2", TOWER_WIDTH, bias=True)
    shapes |= norm(f"{root}.pre_layrnorm", TOWER_WIDTH, bias=True)
    shapes |= norm(f"{root}.post_layernorm", TOWER_WIDTH, bias=True)
    return shapes | linear("multi_modal_projector.linear_1", WIDTH, TOWER_WIDTH, bias=True) | (
        linear("multi_modal_projector.linear_2", WIDTH, WIDTH, bias=True))


def drawn(name: str, shape: tuple, generator: numpy.random.Generator) -> numpy.ndarray:
    """Ones for norms, zeros for biases, else normal numbers that keep rows at their size."""
    if name.endswith(".bias"):
        return numpy.zeros(shape, numpy.float32)
    if "norm" in name:
        return numpy.ones(shape, numpy.float32)
    inputs = int(numpy.prod(shape[1:])) if len(shape) > 1 else shape[0]
    return generator.standard_normal(shape, numpy.float32) / numpy.float32(inputs ** 0.5)


def bfloat16(values: numpy.ndarray) -> numpy.ndarray:
    """The upper halves of float32, cut off: good enough for random numbers."""
    return (values.view(numpy.uint32) >> 16).astype(numpy.uint16)


def write_weights(folder: Path) -> None:
    """Writes them as bfloat16; numpy knows no such type, so the header is changed after."""
    generator = numpy.random.default_rng(7)
    shapes = language_shapes() | vision_shapes()
    tensors = {name: bfloat16(drawn(name, shape, generator)) for name, shape in shapes.items()}
    path = folder / "model.safetensors"
    save_file(tensors, path, metadata={"format": "pt"})
    with open(path, "r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = file.read(size).replace(b'"U16"', b'"BF16"')
        # A name that is longer by a character takes the place of padding, or makes it necessary.
        content = json.dumps(json.loads(header), separators=(",", ":")).encode()
        if len(content) <= size:
            file.seek(8)
            file.write(content.ljust(size))
            return
        rest = file.read()
        content = content.ljust((len(content) + 7) // 8 * 8)
        file.seek(0)
        file.write(len(content).to_bytes(8, "little") + content + rest)


def write_settings(folder: Path, tokenizer: Path) -> None:
    """config.json and what the processor reads."""
    image_token = json.loads((tokenizer / "config.json").read_text())["image_token_index"]
    text = {"model_type": "llama", "vocab_size": VOCABULARY, "hidden_size": WIDTH,
            "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": 16,
            "num_key_value_heads": 16, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5}
    vision = {"model_type": "clip_vision_model", "hidden_size": TOWER_WIDTH,
              "intermediate_size": TOWER_INNER, "num_hidden_layers": TOWER_LAYERS,
              "num_attention_heads": 8, "image_size": TILE, "patch_size": PATCH,
              "projection_dim": TOWER_WIDTH}
    config = {"architectures": ["LlavaNextForConditionalGeneration"], "model_type": "llava_next",
              "image_token_index": image_token, "image_grid_pinpoints": PINPOINTS,
              "text_config": text, "vision_config": vision, "torch_dtype": "bfloat16",
              "tie_word_embeddings": False, "vision_feature_layer": -2,
              "vision_feature_select_strategy": "default"}
    size = {"height": TILE, "width": TILE}
    images = {"image_processor_type": "LlavaNextImageProcessor", "crop_size": size,
              "size": {"shortest_edge": TILE}, "image_grid_pinpoints": PINPOINTS, "resample": 3,
              "image_mean": [0.48145466, 0.4578275, 0.40821073],
              "image_std": [0.26862954, 0.26130258, 0.27577711]}
    processor = {"processor_class": "LlavaNextProcessor", "patch_size": PATCH,
                 "vision_feature_select_strategy": "default", "image_token": "<image>",
                 "num_additional_image_tokens": 1}
    for name, content in [("config.json", config), ("preprocessor_config.json", images),
                          ("processor_config.json", processor)]:
        (folder / name).write_text(json.dumps(content, indent=1))
    for name in TOKENIZER_FILES:
        if (tokenizer / name).exists():
            shutil.copy(tokenizer / name, folder / name)


def write_picture(folder: Path) -> None:
    """Smooth colours with noise."""
    y, x = numpy.mgrid[0:672, 0:672]
    generator = numpy.random.default_rng(3)
    planes = [numpy.sin(x / 40 + k) * 60 + numpy.cos(y / (30 + 9 * k)) * 50 + 128 for k in range(3)]
    pixels = numpy.stack(planes, -1) + generator.normal(0, 8, (672, 672, 3))
    Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8)).save(folder / "picture.png")


def main() -> None:
    """Writes everything that is missing."""
    folder, tokenizer = Path(sys.argv[1]), Path(sys.argv[2])
    if (folder / "picture.png").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(folder, tokenizer)
    write_weights(folder)
    write_picture(folder)


if __name__ == "__main__":
    main()
