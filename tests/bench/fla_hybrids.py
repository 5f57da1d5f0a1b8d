"""Times whole hybrid models of flash-linear-attention on a GPU: prefill, one decode step, one training step.

    fla_hybrids.py export PLAIT FOLDER                    on any machine: the configs, by `plait export`
    fla_hybrids.py measure FOLDER RESULTS [--budget S]    on the GPU, with torch, transformers, einops and fla on PYTHONPATH

What is timed, in bf16 with random weights, so that the cost model can be asked the same:

prefill     batch x context tokens, states and keys kept, output head at the last token only: Costs::prefill
decode      one token for each sequence, `context` tokens in the cache, its own included: Costs::decode_step. Keys and
            values are written into their place; the library's own cache copies itself at every step.
training    forward and backward over batch x context tokens, output head and loss at every token, no recomputation, no
            optimizer; `optimizer` is one step of fused AdamW on bf16 states, on its own.

"eager" lets Python launch every kernel (`host_seconds`: until the call returns), "graph" replays a CUDA graph of the same
call. Where `kernel_seconds`, the device's busy time of one eager call, is well below eager's `seconds`, the host is the
limit; "kernels" are its largest parts: [name, calls, seconds]. Attention is the quickest of torch's kernels at the case's
shape ("attention": seconds of one layer), so flash-attn is not needed. Times are medians.

"operators" are the recurrences alone at other sizes, for calibration, while whole models stay held out: forward as a CUDA
graph; forward and backward launched by Python, and the device's busy time of the two.

With Triton 3.4 to 3.7.0 the library refuses Gated DeltaNet's backward pass on Hopper, whose gate gradients come out
wrong there (flash-linear-attention issue 640); the refusal is lifted here, because only the time is wanted.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

ATTENTION = {"type": "full_attention", "heads": 16, "kv_heads": 4, "head_dim": 128}
SMALL_GDN = {"type": "gated_delta_net", "heads": 16, "key_head_dim": 128, "value_head_dim": 128}
MODELS = {  # by value: a budget that ends early leaves out the last
    "gdn-3-1": ("(GGG*)x6", {"G": "gated_delta_net", "*": "full_attention"}),
    "attention": ("*x24", {"*": ATTENTION}),
    "kda-3-1": ("(KKK*)x6", {"K": "kimi_delta_attention", "*": ATTENTION}),
    "gdn-7-1": ("(GGGGGGG*)x3", {"G": SMALL_GDN, "*": ATTENTION}),
    "gla-3-1": ("(LLL*)x6", {"L": "gla", "*": "full_attention"}),
    "hgrn2-3-1": ("(HHH*)x6", {"H": "hgrn2", "*": ATTENTION}),
    "retnet-3-1": ("(RRR*)x6", {"R": "retnet", "*": ATTENTION}),
    "gdn": ("Gx24", {"G": SMALL_GDN}),
}
# Rounds by value; within one, every model in turn: (phase, batch, context). Prefills and training steps have 8k or 32k
# tokens, because some kernels are compiled anew for other totals.
ROUNDS = [
    [("prefill", 1, 8192), ("decode", 1, 8192), ("training", 1, 8192)],
    [("prefill", 4, 8192), ("prefill", 1, 32768), ("decode", 32, 8192), ("training", 4, 2048)],
    [("operators", 0, 0)],
    [("prefill", 16, 2048), ("decode", 128, 2048)],
]
OPERATOR_SIZES = [(2, 4096), (8, 1024), (2, 16384), (8, 4096)]  # batch, tokens; none is a whole model's
OPERATOR_STEPS = [16, 64]  # batches of a decode step
PROMPT = 128  # tokens that give a decoding cache its states; more than 64 take the chunked kernels


def export(plait, folder):
    for name, (layout, mixers) in MODELS.items():
        model = {"format": "plait-model/1", "name": name, "d_model": 2048, "vocab_size": 32000,
                 "channel_mixer": {"type": "swiglu", "width": 5632}, "mixers": mixers, "layout": layout}
        (folder / name).mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}.json"
        file.write_text(json.dumps(model, indent=2) + "\n")
        subprocess.run([plait, "export", file, "--to", "fla", "--out", folder / name, "--force"], check=True)


def load_library():
    """Imports torch, Triton and fla, with torch's attention in the place of flash-attn."""
    os.environ["FLA_CACHE_RESULTS"] = "0"  # choices of kernel variants made beside other programs must not stay
    warnings.simplefilter("ignore")
    global F, fla, torch, transformers, triton
    import fla
    import fla.layers.attn
    import fla.models
    import fla.ops.common.chunk_o
    import torch
    import torch.nn.functional as F
    import transformers
    import triton
    import triton.runtime.autotuner
    import triton.testing
    fla.layers.attn.flash_attn_func = attention
    fla.ops.common.chunk_o.TRITON_ABOVE_3_7_1 = True
    transformers.utils.logging.set_verbosity_error()


def attention(q, k, v, causal, window_size):
    """[batch, tokens, heads, width]; the queries are the last tokens, all of them or one."""
    assert causal and window_size == (-1, -1) and q.shape[1] in (1, k.shape[1])
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=q.shape[2] > 1,
                                          enable_gqa=q.shape[1] != k.shape[1]).transpose(1, 2)


def compile_variants_together(threads):
    """Lets Triton compile the variants of a kernel that it is about to choose from at the same time."""
    from triton.runtime._async_compile import AsyncCompileMode
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    tuner = triton.runtime.autotuner.Autotuner
    prune = tuner.prune_configs

    def prune_and_compile(self, kwargs):
        configs = prune(self, kwargs)
        with AsyncCompileMode(pool, ignore_errors=True):
            for config in configs:
                self.fn.run(*self.nargs.values(), **{**kwargs, "warmup": True}, **config.all_kwargs())
        return configs

    tuner.prune_configs = prune_and_compile


# Models and calls.

def build(folder, layers=None):
    config = transformers.AutoConfig.from_pretrained(folder)
    if layers:
        config.num_hidden_layers = layers
        if getattr(config, "attn", None):
            config.attn["layers"] = [layer for layer in config.attn["layers"] if layer < layers] or [layers - 1]
    with torch.device(DEVICE):
        return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()


def blocks(model):
    return [(block.attn if hasattr(block, "attn") else block.mixer) for block in model.model.layers]


def random_tokens(model, batch, count):
    return torch.randint(model.config.vocab_size, (batch, count), device=DEVICE)


def decoding_cache(model, batch, context):
    from fla.models.cache_utils import Cache, FLALayer

    class Step(FLALayer):
        """Every step writes the last of `context` tokens, and leaves the states as they were."""

        def update(self, *, attn_state=None, **_):
            for kept, new in zip(self.state["attn_state"] or (), attn_state or ()):
                kept[:, -new.shape[1]:] = new
            return self.state

    cache = Cache()
    model(random_tokens(model, batch, PROMPT), past_key_values=cache, use_cache=True, logits_to_keep=1)
    for layer in cache.layers:
        if layer.state["attn_state"] is not None:
            layer.state["attn_state"] = tuple(torch.randn(batch, context, kept.shape[-1], dtype=kept.dtype, device=DEVICE)
                                              for kept in layer.state["attn_state"])
        layer._seen_tokens = context - 1
        layer.__class__ = Step
    return cache


def call_of(model, phase, batch, context):
    """What is timed. Gradients are off except in training."""
    from fla.models.cache_utils import Cache
    model.train(phase == "training")
    if phase == "prefill":
        tokens = random_tokens(model, batch, context)
        return lambda: model(tokens, past_key_values=Cache(), use_cache=True, logits_to_keep=1).logits
    if phase == "decode":
        cache, tokens = decoding_cache(model, batch, context), random_tokens(model, batch, 1)
        return lambda: model(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
    tokens = random_tokens(model, batch, context)

    def step():
        model.zero_grad(set_to_none=True)
        model(tokens, labels=tokens).loss.backward()

    return step


# Timing.

DEVICE = "cuda"


def summary(call, longest=1.0):
    """Seconds between the device's events around one call, and until the call returned."""
    started = time.monotonic()
    runs = 0
    while runs < 2 or time.monotonic() - started < 0.2:
        call()
        torch.cuda.synchronize()
        runs += 1
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    device, host = [], []
    while len(device) < 5 or (sum(device) < longest and len(device) < 30):
        torch.cuda.synchronize()
        begin.record()
        at = time.perf_counter()
        call()
        host.append(time.perf_counter() - at)
        end.record()
        torch.cuda.synchronize()
        device.append(begin.elapsed_time(end) / 1e3)
    return {"seconds": statistics.median(device), "least": min(device), "most": max(device), "runs": len(device),
            "host_seconds": statistics.median(host)}


def graph_of(call):
    """A call already made once, as a CUDA graph."""
    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def kernels_of(call):
    from torch.profiler import ProfilerActivity, profile
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        call()
        torch.cuda.synchronize()
    rows = [[event.key[:120], event.count, event.self_device_time_total / 1e6] for event in profiler.key_averages()]
    rows.sort(key=lambda row: -row[2])
    return {"kernel_seconds": sum(row[2] for row in rows), "kernels": [row for row in rows if row[2] > 0][:60]}


def allow_attention(kernel):
    torch.backends.cuda.enable_math_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    torch.backends.cuda.enable_cudnn_sdp(kernel == "cudnn")
    torch.backends.cuda.enable_flash_sdp(kernel == "flash")


def choose_attention(model, phase, batch, context):
    """Times torch's attention kernels at the shape of this case and allows the quickest: seconds by kernel."""
    layer = next((m for m in blocks(model) if isinstance(m, fla.layers.attn.Attention)), None)
    if layer is None:
        return {}
    training = phase == "training"

    def tensor(tokens, heads):
        return torch.randn(batch, tokens, heads, layer.head_dim, dtype=torch.bfloat16, device=DEVICE, requires_grad=training)

    q = tensor(1 if phase == "decode" else context, layer.num_heads)
    k, v = tensor(context, layer.num_kv_heads), tensor(context, layer.num_kv_heads)
    gradient = torch.randn_like(q)

    def call():
        out = attention(q, k, v, True, (-1, -1))
        if training:
            torch.autograd.grad(out, (q, k, v), gradient)

    seconds = {}
    for kernel in ("cudnn", "flash"):
        allow_attention(kernel)
        try:
            call()
            seconds[kernel] = summary(call if training else graph_of(call), 0.05)["seconds"]
        except RuntimeError as error:
            print(f"    attention {kernel}: {str(error)[:200]}", flush=True)
    allow_attention(min(seconds, key=seconds.get))
    return seconds


def time_case(case, model, phase, batch, context, profiled):
    """Fills the case step by step, so that an error keeps what was measured before it."""
    case["attention"] = choose_attention(model, phase, batch, context)
    torch.cuda.reset_peak_memory_stats()
    with torch.set_grad_enabled(phase == "training"):
        call = call_of(model, phase, batch, context)
        case["eager"] = summary(call)
        case["peak_bytes"] = torch.cuda.max_memory_allocated()
        if phase != "training":
            case["finite"] = bool(call().isfinite().all())
            case["graph"] = summary(graph_of(call))
        if profiled:
            case.update(kernels_of(call))
        if phase == "training":
            case["optimizer"] = summary(torch.optim.AdamW(model.parameters(), fused=True).step, 0.1)


# The recurrences alone: the arguments that a layer gives its kernels are kept, then the kernels are called with them.

def kept_call(mixer, hidden, cache):
    module, kept = sys.modules[type(mixer).__module__], {}
    functions = {name: function for name, function in vars(module).items()
                 if name.startswith(("chunk_", "fused_recurrent_")) and callable(function)}

    def keeping(function):
        def call(**arguments):
            kept.update(function=function, arguments=arguments)
            return function(**arguments)
        return call

    try:
        vars(module).update({name: keeping(function) for name, function in functions.items()})
        mixer(hidden, past_key_values=cache, use_cache=True)
    finally:
        vars(module).update(functions)
    return kept["function"], kept["arguments"]


def time_operator(row, mixer, batch, tokens):
    from fla.models.cache_utils import Cache
    width = mixer.hidden_size
    cache = Cache()
    with torch.no_grad():
        if tokens == 1:
            mixer(torch.randn(batch, PROMPT, width, dtype=torch.bfloat16, device=DEVICE), past_key_values=cache, use_cache=True)
        hidden = torch.randn(batch, tokens, width, dtype=torch.bfloat16, device=DEVICE)
        function, arguments = kept_call(mixer, hidden, cache)
        q, v = arguments["q"], arguments["v"]
        row.update(operator=function.__name__, key_heads=q.shape[2], heads=v.shape[2], key_head_dim=q.shape[3],
                   value_head_dim=v.shape[3])
        call = lambda: function(**arguments)  # noqa: E731
        call()
        row["forward"] = summary(graph_of(call), 0.1)["seconds"]
    if tokens == 1:
        return
    arguments = {name: value.detach().clone().requires_grad_(value.is_floating_point())
                 if isinstance(value, torch.Tensor) else value for name, value in arguments.items()}
    arguments["output_final_state"] = False
    inputs = [value for value in arguments.values() if isinstance(value, torch.Tensor) and value.requires_grad]
    gradient = torch.randn_like(v)

    def both():
        torch.autograd.grad(function(**arguments)[0], inputs, gradient, allow_unused=True)

    both()
    row["forward_backward"] = summary(both, 0.1)["seconds"]
    row["forward_backward_kernels"] = kernels_of(both)["kernel_seconds"]


def time_operators(model, record):
    mixer = next((m for m in blocks(model) if not isinstance(m, fla.layers.attn.Attention)), None)
    for batch, tokens in OPERATOR_SIZES + [(batch, 1) for batch in OPERATOR_STEPS] if mixer else []:
        record(lambda row: time_operator(row, mixer, batch, tokens), batch=batch, tokens=tokens)


# The run.

def short_model(folder):
    """The first layers, one of each kind: all kernels of the model, compiled as in the whole."""
    config = transformers.AutoConfig.from_pretrained(folder)
    attention_layers = (getattr(config, "attn", None) or {}).get("layers", [0])
    return build(folder, min(attention_layers) + 1)


def warm(folder, phase):
    """Compiles into Triton's cache what the measuring process will need; nothing is timed."""
    triton.testing.do_bench = lambda call, **_: (call(), [1.0, 1.0, 1.0])[1]
    compile_variants_together(max(2, (os.cpu_count() or 2) // 4))
    model = short_model(folder)
    allow_attention("flash")
    phases = {"serving": ("prefill", "decode"), "training": ("training",)}[phase]
    sizes = {case for cases in ROUNDS for case in cases if case[0] in phases}
    with torch.set_grad_enabled(phase == "training"):
        for case in sorted(sizes):
            call_of(model, *case)()
    torch.cuda.synchronize()


def warm_all(folder, models, started, limit):
    with tempfile.TemporaryDirectory() as logs:
        running, covered = {}, []
        for name in models:
            mixers = [json.dumps(mixer) for mixer in MODELS[name][1].values()]
            if all(mixer in covered for mixer in mixers):
                continue
            covered += mixers
            for phase in ("serving", "training"):
                log = open(pathlib.Path(logs, f"{name}-{phase}"), "w+")
                running[name, phase] = log, subprocess.Popen(
                    [sys.executable, __file__, "warm", str(folder / name), phase], stdout=log, stderr=log)
        while running and time.monotonic() - started < limit:
            time.sleep(0.5)
            for key, (log, process) in list(running.items()):
                if process.poll() is not None:
                    log.seek(0)
                    problem = f" failed: {log.read()[-300:]}" if process.returncode else ""
                    print(f"{time.monotonic() - started:6.1f} s  compiled {' '.join(key)}{problem}", flush=True)
                    del running[key]
        for key, (_, process) in running.items():
            print(f"{time.monotonic() - started:6.1f} s  not waiting for {' '.join(key)}", flush=True)
            process.kill()
            process.wait()


def measure(folder, results, budget, warm_limit, only):
    started = time.monotonic()
    models = [name for name in MODELS if (folder / name / "config.json").exists() and (not only or name in only)]
    out = {"torch": torch.__version__, "triton": triton.__version__, "fla": fla.__version__,
           "transformers": transformers.__version__, "gpu": torch.cuda.get_device_name(), "cores": os.cpu_count(),
           "models": {name: json.loads((folder / f"{name}.json").read_text()) for name in models}, "cases": [], "operators": []}
    print({key: out[key] for key in ("gpu", "torch", "triton", "fla", "transformers", "cores")}, flush=True)

    def record(into, call, **what):
        try:
            call(what)
        except Exception as error:  # one case must not end the run
            what["error"] = f"{type(error).__name__}: {error}"[:500]
        into.append(what)
        results.with_suffix(".part").write_text(json.dumps(out, indent=1) + "\n")
        results.with_suffix(".part").replace(results)
        times = {key: f"{1e3 * value['seconds']:.3f} ms" for key, value in what.items() if isinstance(value, dict) and "seconds" in value}
        times |= {key: f"{1e3 * what[key]:.3f} ms" for key in ("forward", "forward_backward") if key in what}
        said = [str(value) for value in what.values() if isinstance(value, (str, int)) and not isinstance(value, bool)]
        print(f"{time.monotonic() - started:6.1f} s  {' '.join(said[:4])}  {times} {what.get('error', '')}", flush=True)

    warm_all(folder, models, started, warm_limit)
    triton.testing.do_bench = quick_bench(triton.testing.do_bench)
    compile_variants_together(os.cpu_count() or 2)
    for cases in ROUNDS:
        for name in models:
            if time.monotonic() - started > budget:
                break
            model = build(folder / name)
            for phase, batch, context in cases:
                if time.monotonic() - started > budget:
                    break
                if phase == "operators":
                    time_operators(model, lambda call, **what: record(out["operators"], call, model=name, **what))
                else:
                    record(out["cases"], lambda case: time_case(case, model, phase, batch, context, cases is ROUNDS[0]),
                           model=name, phase=phase, batch=batch, context=context)
                model.zero_grad(set_to_none=True)
                torch.cuda.empty_cache()
            del model
            torch.cuda.empty_cache()
    print(f"{time.monotonic() - started:6.1f} s  done", flush=True)


def quick_bench(bench):
    """Triton's choice between variants of a kernel from 10 ms of each instead of 100."""
    return lambda call, **options: bench(call, **{**options, "warmup": 2, "rep": 10})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("export")
    command.add_argument("plait")
    command.add_argument("folder", type=pathlib.Path)
    command = commands.add_parser("measure")
    command.add_argument("folder", type=pathlib.Path)
    command.add_argument("results", type=pathlib.Path)
    command.add_argument("--budget", type=float, default=400, help="seconds after which no further case is begun")
    command.add_argument("--warm", type=float, default=150, help="seconds given to compiling beforehand")
    command.add_argument("--only", nargs="+", choices=list(MODELS), help="these models alone")
    command = commands.add_parser("warm", help="used by measure")
    command.add_argument("folder", type=pathlib.Path)
    command.add_argument("phase", choices=["serving", "training"])
    arguments = parser.parse_args()
    if arguments.command == "export":
        return export(arguments.plait, arguments.folder)
    load_library()
    if arguments.command == "warm":
        return warm(arguments.folder, arguments.phase)
    measure(arguments.folder, arguments.results, arguments.budget, arguments.warm, arguments.only)


if __name__ == "__main__":
    main()
