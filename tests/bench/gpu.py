"""Every GPU benchmark of plait and, where its packages are there, flash-linear-attention (fla) on the same card.

    gpu.py BIN [--peers REGEX]     BIN holds plait_bench_cuda, plait_bench_linear_cuda and plait_bench_step_cuda

Prints what the benchmarks print, then a table of ours beside fla's. Peers need torch with CUDA, Triton, transformers,
einops and fla on PYTHONPATH. They choose among kernel variants for 15 to 80 s a row, ten minutes in all: --peers takes
the rows whose name matches, "^$" none.

Operators: forward and backward of bf16 tensors, gates fp32, 20 calls in a CUDA graph. Steps: two layers of fla's own
GatedDeltaNetForCausalLM as in step_cuda_bench.cpp, as a whole-step CUDA graph with the output head at the 64 labelled
positions of a row alone, clip and fused AdamW; without the making of batches, which plait's steps include. Once with
fp32 weights and autocast to bf16, as plait trains, once with weights and all else in bf16. With Triton 3.4 to 3.7.0 fla
refuses the backward pass of gated operators on Hopper (its issue 640); the refusal is lifted here, because only the
time is wanted.
"""
import argparse
import functools
import importlib.util
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

BENCHES = ["plait_bench_cuda", "plait_bench_linear_cuda", "plait_bench_step_cuda"]
SHAPES = [(256, 256, 2, 64), (512, 64, 2, 64), (256, 256, 2, 32), (8, 2048, 16, 64), (8, 2048, 8, 128)]
WIDTHS = [64, 128, 256]
BATCH, TOKENS, LABELS, CLASSES = 256, 256, 64, 8192


def name_of(shape):
    return "B{} T{} H{} D{}".format(*shape)


def with_libraries(folder):
    """The environment in which programs that were linked with LibTorch for a CPU find PyTorch's libraries with CUDA."""
    environment, torch = dict(os.environ), importlib.util.find_spec("torch")
    if torch:
        site = pathlib.Path(torch.submodule_search_locations[0])
        folders = [folder.resolve(), site / "lib", *site.parent.glob("nvidia/*/lib"), environment.get("LD_LIBRARY_PATH", "")]
        environment["LD_LIBRARY_PATH"] = ":".join(map(str, folders))
    return environment


def run_ours(folder):
    """Milliseconds by (bench, row)."""
    times, environment = {}, with_libraries(folder)
    for bench in BENCHES:
        program = folder / bench
        if not program.exists():
            print(f"{program} is not there", flush=True)
            continue
        print(f"\n== {bench}", flush=True)
        with subprocess.Popen([program], stdout=subprocess.PIPE, text=True, env=environment) as process:
            for line in process.stdout:
                print(line, end="", flush=True)
                if row := re.match(r"(B\d+ T\d+ H\d+ D\d+.*?)\s{2,}[\d.]+\s+[\d.]+\s+([\d.]+)", line):
                    times[bench, row[1]] = float(row[2])
                elif row := re.match(r"d\s+(\d+): ([\d.]+) ms as a graph", line):
                    times[bench, f"d {row[1]}"] = float(row[2])
    return times


def graph_time(call, calls):
    """Median milliseconds of `call`, from replays of a CUDA graph of `calls` of them."""
    import torch
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            call()
    times = []
    for _ in range(15):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        stop.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(stop) / calls)
    return statistics.median(times[3:])


def operators():
    """By (bench, suffix of the row): the operator, and whether it takes a gate a head, a gate a channel, beta."""
    from fla.ops.delta_rule import chunk_delta_rule
    from fla.ops.gated_delta_rule import chunk_gated_delta_rule
    from fla.ops.gla import chunk_gla
    from fla.ops.simple_gla import chunk_simple_gla
    return {("plait_bench_cuda", ""): (chunk_gated_delta_rule, "head", True),
            ("plait_bench_cuda", " no gate"): (chunk_delta_rule, None, True),
            ("plait_bench_linear_cuda", " a gate a head"): (chunk_simple_gla, "head", False),
            ("plait_bench_linear_cuda", " a gate a channel"): (chunk_gla, "channel", False)}


def time_operator(operator, gate, beta, shape):
    import torch
    import torch.nn.functional as F
    batch, tokens, heads, dim = shape
    q, k, v = (torch.randn(batch, tokens, heads, dim, device="cuda") for _ in range(3))
    leaves = [x.to(torch.bfloat16).requires_grad_() for x in (F.normalize(q, dim=-1), F.normalize(k, dim=-1), v)]
    given = dict(zip("qkv", leaves))
    if gate:
        form = (batch, tokens, heads) + ((dim,) if gate == "channel" else ())
        given["g"] = (-0.1 * torch.rand(form, device="cuda")).requires_grad_()
        leaves.append(given["g"])
    if beta:
        given["beta"] = torch.rand(batch, tokens, heads, device="cuda", dtype=torch.bfloat16).requires_grad_()
        leaves.append(given["beta"])
    d_output = torch.randn(batch, tokens, heads, dim, device="cuda", dtype=torch.bfloat16)
    return graph_time(lambda: torch.autograd.grad(operator(**given)[0], leaves, d_output), 20)


def time_step(width, weights):
    import torch
    import torch.nn.functional as F
    from fla.models import GatedDeltaNetConfig, GatedDeltaNetForCausalLM
    config = GatedDeltaNetConfig(hidden_size=width, num_hidden_layers=2, num_heads=2, head_dim=width // 2, expand_v=1,
                                 intermediate_size=2 * width, vocab_size=CLASSES, tie_word_embeddings=False)
    model = GatedDeltaNetForCausalLM(config).to("cuda", weights).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True, capturable=True)
    tokens = torch.randint(CLASSES, (BATCH, TOKENS), device="cuda")
    rows = torch.randint(BATCH * TOKENS, (BATCH * LABELS,), device="cuda")
    labels = torch.randint(CLASSES, (BATCH * LABELS,), device="cuda")

    def step():
        with torch.autocast("cuda", torch.bfloat16, enabled=weights != torch.bfloat16, cache_enabled=False):
            hidden = model.model(tokens)[0].flatten(0, 1)
            logits = model.lm_head(hidden[rows])
        F.cross_entropy(logits.float(), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return graph_time(step, 1)


def peer_cases():
    """By (bench, row of ours, what of the peer): what times it."""
    import torch
    cases = {}
    for what, weights in (("fp32 weights", torch.float32), ("bf16 weights", torch.bfloat16)):
        for width in WIDTHS:
            cases["plait_bench_step_cuda", f"d {width}", what] = functools.partial(time_step, width, weights)
    for shape in SHAPES:
        for (bench, suffix), (operator, gate, beta) in operators().items():
            cases[bench, name_of(shape) + suffix, ""] = functools.partial(time_operator, operator, gate, beta, shape)
    return cases


def run_peers(wanted):
    """Milliseconds by (bench, row of ours, what of the peer); a row that fails says why."""
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    import fla_hybrids
    fla_hybrids.load_library()
    import torch
    import triton
    triton.testing.do_bench = fla_hybrids.quick_bench(triton.testing.do_bench)
    fla_hybrids.compile_variants_together(os.cpu_count() or 2)
    print(f"\n== fla {fla_hybrids.fla.__version__}, Triton {triton.__version__}, PyTorch {torch.__version__}", flush=True)
    times, started = {}, time.monotonic()
    for key, call in peer_cases().items():
        name = " ".join(key).strip()
        if not re.search(wanted, name):
            continue
        try:
            times[key] = call()
            said = f"{times[key]:.3f} ms"
        except Exception as error:  # one case must not end the run
            said = f"{type(error).__name__}: {error}"[:300]
        print(f"{time.monotonic() - started:6.1f} s  {name}: {said}", flush=True)
        torch.cuda.empty_cache()
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--peers", metavar="REGEX", default="", help="the peers' rows to run")
    arguments = parser.parse_args()
    ours = run_ours(arguments.folder)
    missing = [name for name in ("torch", "triton", "transformers", "fla") if importlib.util.find_spec(name) is None]
    if missing:
        return print(f"\nno peers: {', '.join(missing)} not found", flush=True)
    peers = run_peers(arguments.peers)
    print(f"\n{'ms':60} {'plait':>8} {'fla':>8} {'ours is':>9}")
    for (bench, row, what), time_of_peer in peers.items():
        if (bench, row) in ours:
            own = ours[bench, row]
            print(f"{f'{bench} {row} {what}':60} {own:8.3f} {time_of_peer:8.3f} {time_of_peer / own:7.1f} x")


if __name__ == "__main__":
    main()
