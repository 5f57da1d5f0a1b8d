"""Holds plait's importer and exporter to the real flash-linear-attention.

    check_fla.py FLA_BUNDLES SOURCE_FOLDER      FLA_BUNDLES: the program of fla_bundles.cpp

1. src/interchange/fla_defaults.json equals the constructors' signatures.
2. Configs that the library writes itself, defaults and hybrids, are read by plait; what plait writes for them builds the
   same number of parameters, and each class's defaults build the published number.
3. Every bundle that plait writes (golden models, random models, those of 2) builds what its expected.json says: class,
   windows, heads and parameters of every layer, the total, and no key that the class does not take.
"""
import importlib.util
import inspect
import json
import pathlib
import subprocess
import sys
import tempfile

TOOL, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
RANDOM_MODELS = 60

# Built here with the classes' defaults; also counted in the library's own documentation of shapes.
DEFAULT_PARAMETERS = {
    "transformer": 1_364_297_728,
    "gla": 1_365_514_240,
    "retnet": 1_351_727_104,
    "delta_net": 1_365_677_056,
    "gated_deltanet": 1_387_348_732,
    "kda": 1_390_941_568,
    "hgrn": 1_364_396_032,
    "hgrn2": 1_364_396_032,
    "mamba2": 1_371_839_488,
    "mla": None,  # no published number: held to the library alone
}
FULL = {"layers": [11, 23], "num_heads": 32}
WINDOW = {"layers": [3, 7], "num_heads": 16, "num_kv_heads": 4, "window_size": 1024, "qkv_bias": True, "rope_theta": 5e5}
HYBRIDS = {  # full attention at layers 11 and 23 of 24, d 2048: published totals
    "gla": 1_365_412_864,
    "retnet": 1_318_171_648,
    "delta_net": 1_365_562_112,
    "hgrn": 1_364_391_936,
    "hgrn2": 1_364_391_936,
    "kda": 1_388_721_248,
}

spec = importlib.util.spec_from_file_location("verify", SOURCE / "src/interchange/fla_verify.py")
verify = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify)

import torch  # noqa: E402
from transformers import CONFIG_MAPPING, AutoModelForCausalLM  # noqa: E402

failures = []


def check(what, got, wanted):
    if got != wanted:
        failures.append(f"{what}: got {got}, wanted {wanted}")


def check_defaults():
    table = json.loads((SOURCE / "src/interchange/fla_defaults.json").read_text())
    check("model types", sorted(table), sorted(DEFAULT_PARAMETERS))
    for model_type, ours in table.items():
        parameters = inspect.signature(CONFIG_MAPPING[model_type].__init__).parameters
        theirs = {name: list(p.default) if isinstance(p.default, tuple) else p.default
                  for name, p in parameters.items() if name not in ("self", "kwargs", "dt_limit")}
        check(f"{model_type} constructor", list(ours.items()), list(theirs.items()))


def library_configs(folder):
    """Writes configs with the library; yields the file and the parameters that the library builds for it."""
    wanted = {f"{model_type}-default": (model_type, {}, number) for model_type, number in DEFAULT_PARAMETERS.items()}
    for model_type, number in HYBRIDS.items():
        wanted[f"{model_type}-hybrid"] = (model_type, {"attn": dict(FULL)}, number)
        wanted[f"{model_type}-list"] = (model_type, {"attn": [dict(FULL), dict(WINDOW)]}, None)
    gdn = {"num_hidden_layers": 24, "num_heads": 8, "expand_v": 1, "intermediate_size": 5632}
    wanted["gdn-2to22"] = ("gated_deltanet", {**gdn, "attn": dict(FULL)}, 1_457_839_968)
    wanted["gdn-kv8"] = ("gated_deltanet", {**gdn, "attn": {**FULL, "num_kv_heads": 8}}, 1_445_257_056)
    wanted["mamba2-attn"] = ("mamba2", {"num_hidden_layers": 24, "attn": dict(FULL)}, 751_456_768)
    for name, (model_type, arguments, number) in wanted.items():
        config = CONFIG_MAPPING[model_type](**arguments)
        with torch.device("meta"):
            built = verify.count(AutoModelForCausalLM.from_config(config))
        if number is not None:
            check(f"{name} built by the library", built, number)
        file = folder / f"{name}.json"
        file.write_text(config.to_json_string(use_diff=len(arguments) > 1))  # both of transformers' ways to save
        yield file, built


with tempfile.TemporaryDirectory() as scratch:
    scratch = pathlib.Path(scratch)
    check_defaults()
    (scratch / "configs").mkdir()
    configs = dict(library_configs(scratch / "configs"))
    bundles = scratch / "bundles"
    subprocess.run([TOOL, bundles, str(RANDOM_MODELS), *configs], check=True)
    for file, built in configs.items():
        expected = json.loads((bundles / f"import-{file.stem}" / "expected.json").read_text())
        check(f"{file.stem} read by plait", expected["parameters"], built)
    folders = sorted(bundles.iterdir())
    for folder in folders:
        failures += [f"{folder.name}: {line}" for line in verify.differences(folder)]

print("\n".join(failures))
print(f"{len(folders)} bundles, {len(configs)} configs of the library, {len(failures)} differences")
sys.exit(1 if failures else 0)
