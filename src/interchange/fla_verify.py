#!/usr/bin/env python3
"""Builds the model of a config.json with the real flash-linear-attention and compares it with expected.json.

    python verify.py [FOLDER ...]     each with config.json and expected.json; default: the folder of this file

Needs torch, triton, einops, transformers, fla-core and flash-linear-attention. Parameters are made on the meta device:
no GPU, no memory. Exit status: 0 equal, 1 different.
"""
import inspect
import json
import pathlib
import sys
import warnings

warnings.simplefilter("ignore")
import torch  # noqa: E402
import fla  # noqa: E402
import fla.layers.attn  # noqa: E402
import fla.layers.mla  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM  # noqa: E402

# Attention layers refuse to be built without flash-attn, although only running them calls it.
for module in (fla.layers.attn, fla.layers.mla):
    module.flash_attn_func = module.flash_attn_func or object()


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def differences(folder):
    """What the library builds from FOLDER/config.json that FOLDER/expected.json does not say, in words."""
    folder = pathlib.Path(folder)
    written = json.loads((folder / "config.json").read_text())
    expected = json.loads((folder / "expected.json").read_text())
    config = AutoConfig.from_pretrained(folder)
    found = []
    if not type(config).__module__.startswith("fla."):
        return [f"model_type {written['model_type']} is not fla's: {type(config)} (is triton importable?)"]

    arguments = set(inspect.signature(type(config).__init__).parameters) | {"model_type"}
    unknown = sorted(set(written) - arguments)
    if unknown:
        found.append(f"keys that {type(config).__name__} does not take: {', '.join(unknown)}")

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    blocks = list((model.model if hasattr(model, "model") else model.backbone).layers)
    mixers = [block.attn if hasattr(block, "attn") else block.mixer for block in blocks]

    def compare(what, built, wanted):
        if built != wanted:
            found.append(f"{what}: the library builds {built}, expected.json has {wanted}")

    compare("layers", len(blocks), len(expected["layers"]))
    for index, (block, mixer, layer) in enumerate(zip(blocks, mixers, expected["layers"])):
        compare(f"layer {index} mixer", type(mixer).__name__, layer["mixer"])
        compare(f"layer {index} parameters", count(block), layer["parameters"])
        for key, value in layer.get("attention", {}).items():
            compare(f"layer {index} {key}", getattr(mixer, key), value)
    compare("parameters", count(model), expected["parameters"])
    compare("vocab_size", model.get_input_embeddings().num_embeddings, expected["vocab_size"])
    return found


def main(folders):
    failed = False
    for folder in folders:
        for line in differences(folder):
            failed = True
            print(f"{folder}: {line}")
    if not failed:
        print(f"{len(folders)} config(s) build what expected.json says, with fla {fla.__version__}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [pathlib.Path(__file__).parent]))
