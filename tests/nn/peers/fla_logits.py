"""Logits of the real flash-linear-attention for the models of tests/nn/parity_models.cpp, in fp64 on a CPU.

    fla_logits.py BUNDLES [GOLDEN]

Every folder of BUNDLES holds model.json, our form of the model, and config.json where the library has a class for it.
Written beside them: model.safetensors, weights by the formula of parity_models.cpp, and logits.safetensors. With GOLDEN,
GOLDEN/<name>.safetensors keeps the logits of every tenth position.

The library's layer and model code runs as it is. Its Triton kernels, which need a GPU, give way to its own naive
recurrences and to a few lines of torch around them. Where it has no model class (Momentum DeltaNet), its layer stands in a
plain pre-norm block; mLSTM, which it does not have, is written out here in its parallel form (arXiv 2405.04517, eq. 75 to
81).
"""
import json
import pathlib
import sys
import warnings

import numpy
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
TOKENS, STRIDE = 70, 10

# Everything that the library computes in fp32 for accuracy is fp64 here.
torch.float32 = torch.float = torch.float64
torch.Tensor.float = torch.Tensor.double
torch.set_default_dtype(torch.float64)

import fla.layers.attn  # noqa: E402
import fla.layers.delta_net  # noqa: E402
import fla.layers.gated_deltanet  # noqa: E402
import fla.layers.gla  # noqa: E402
import fla.layers.hgrn  # noqa: E402
import fla.layers.hgrn2  # noqa: E402
import fla.layers.kda  # noqa: E402
import fla.layers.mamba2  # noqa: E402
import fla.layers.mla  # noqa: E402
import fla.layers.momentum_deltanet  # noqa: E402
import fla.layers.multiscale_retention  # noqa: E402
import fla.models  # noqa: E402, F401
import fla.modules.activations  # noqa: E402
import fla.modules.causal_conv1d.ops  # noqa: E402
import fla.modules.mlp  # noqa: E402
import fla.modules.norm.fused_norm_gate  # noqa: E402
import fla.modules.norm.layernorm  # noqa: E402
import fla.modules.norm.layernorm_gated  # noqa: E402
import fla.modules.rotary.ops  # noqa: E402
from fla.ops.delta_rule.naive import delta_rule_recurrence  # noqa: E402
from fla.ops.gated_delta_rule.naive import naive_recurrent_gated_delta_rule  # noqa: E402
from fla.ops.gla.naive import naive_recurrent_gla  # noqa: E402
from fla.ops.hgrn.naive import naive_recurrent_hgrn  # noqa: E402
from fla.ops.kda.gate import naive_kda_gate, naive_kda_lowerbound_gate  # noqa: E402
from fla.ops.kda.naive import naive_recurrent_kda  # noqa: E402
from fla.ops.momentum_delta_rule.naive import recurrent_momentum_delta_rule_ref  # noqa: E402
from fla.ops.retention.naive import naive_retention  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM  # noqa: E402
from transformers.utils import logging  # noqa: E402

logging.set_verbosity_error()  # Mamba-2 would tell of the fast path that a CPU does not have


# Stand-ins for kernels: the library's naive operation where there is one.

def l2norm(x):
    return x / (x.square().sum(-1, keepdim=True) + 1e-6).sqrt()


def rms_norm(x, weight, bias=None, residual=None, eps=1e-5, prenorm=False, **_):
    x = x if residual is None else x + residual
    y = x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight
    return (y, x) if prenorm else y


def rms_norm_gated(x, g, weight, bias, activation, eps, **_):
    return rms_norm(x, weight, eps=eps) * (torch.sigmoid(g) if activation == "sigmoid" else F.silu(g))


def rms_norm_linear(x, norm_weight, norm_bias, linear_weight, linear_bias, eps=1e-5):
    return F.linear(rms_norm(x, norm_weight, eps=eps), linear_weight)


def rms_norm_of_groups(x, weight, bias, z, eps, group_size, norm_before_gate):
    return fla.modules.norm.layernorm_gated.rms_norm_ref(x, weight, bias, z, eps, group_size, norm_before_gate)


def causal_conv1d(x, weight, bias=None, activation=None, **_):
    width = weight.shape[1]
    y = F.conv1d(F.pad(x.transpose(1, 2), (width - 1, 0)), weight.unsqueeze(1), bias, groups=weight.shape[0])
    y = y.transpose(1, 2)
    return (y if activation is None else F.silu(y)), None


def rotary_embedding(x, cos, sin, interleaved=False, seqlen_offsets=0, **_):
    rows = slice(seqlen_offsets, seqlen_offsets + x.shape[1])
    return fla.modules.rotary.ops.rotary_embedding_ref(x, cos[rows], sin[rows], interleaved)


def flash_attn_func(q, k, v, causal, window_size):
    k, v = (x.repeat_interleave(q.shape[2] // x.shape[2], 2) for x in (k, v))
    scores = torch.einsum("bihd,bjhd->bhij", q, k) * q.shape[-1] ** -0.5
    distance = torch.arange(q.shape[1])[:, None] - torch.arange(q.shape[1])
    seen = (distance >= 0) & ((distance <= window_size[0]) if window_size[0] >= 0 else True)
    return torch.einsum("bhij,bjhv->bihv", scores.masked_fill(~seen, -torch.inf).softmax(-1), v)


def retention(q, k, v, **_):
    return naive_retention(*(x.transpose(1, 2) for x in (q, k, v))).transpose(1, 2), None


def gla(q, k, v, gk=None, g=None, **_):
    return naive_recurrent_gla(q, k, v, g if gk is None else gk)


def delta_rule(q, k, v, beta, use_qk_l2norm_in_kernel, **_):
    assert use_qk_l2norm_in_kernel
    q, k, v = (x.transpose(1, 2) for x in (l2norm(q), l2norm(k), v))
    return delta_rule_recurrence(q, k, v, beta.transpose(1, 2))[0].transpose(1, 2), None


def gated_delta_rule(q, k, v, g, beta, A_log, dt_bias, allow_neg_eigval=False, **_):
    q, k = (l2norm(x).repeat_interleave(v.shape[2] // x.shape[2], 2) for x in (q, k))
    g = -A_log.exp() * F.softplus(g + dt_bias)
    beta = (2 if allow_neg_eigval else 1) * beta.sigmoid()
    o = naive_recurrent_gated_delta_rule(q, k, v, beta, g)[0]
    assert o.shape == v.shape
    return o, None


def kda(q, k, v, g, beta, A_log, dt_bias, allow_neg_eigval=False, lower_bound=None, **_):
    if lower_bound is None:
        g = naive_kda_gate(g, A_log, dt_bias, torch.float64)
    else:
        g = naive_kda_lowerbound_gate(g, A_log, dt_bias, lower_bound, torch.float64)
    beta = (2 if allow_neg_eigval else 1) * beta.sigmoid()
    return naive_recurrent_kda(l2norm(q), l2norm(k), v, g, beta)


def momentum_delta_rule(q, k, v, log_alpha, log_mu, p, beta, eta, use_qk_l2norm_in_kernel, use_p_times_alpha, **_):
    # The recurrence: the library's chunk form loses digits where mu decays faster than alpha.
    assert use_qk_l2norm_in_kernel and use_p_times_alpha
    p = log_alpha.exp().unsqueeze(-1) * l2norm(p)
    return recurrent_momentum_delta_rule_ref(l2norm(q), l2norm(k), v, log_alpha, log_mu, p, beta, eta)


def mamba2_forward(self, hidden_states, attention_mask=None, past_key_values=None, **_):
    """With one group the library's pass over the sequence, with more its decoding steps: the former tiles groups over heads."""
    if self.n_groups == 1:
        return self.torch_forward(hidden_states)[0], None, past_key_values
    batch = hidden_states.shape[0]
    state = {"conv_state": hidden_states.new_zeros(batch, self.conv_dim, self.conv_kernel_size),
             "recurrent_state": hidden_states.new_zeros(batch, self.num_heads, self.head_dim, self.ssm_state_size)}
    outputs = []
    for token in hidden_states.split(1, dim=1):
        output, state["conv_state"], state["recurrent_state"] = self.torch_forward(token, state)
        outputs.append(output)
    return torch.cat(outputs, 1), None, past_key_values


layers = fla.layers
fla.modules.norm.layernorm.rms_norm = rms_norm
fla.modules.norm.fused_norm_gate.rms_norm_gated = rms_norm_gated
fla.modules.norm.layernorm_gated.rmsnorm_fn = rms_norm_of_groups
fla.modules.causal_conv1d.ops.causal_conv1d = layers.gated_deltanet.causal_conv1d = causal_conv1d
fla.modules.rotary.ops.rotary_embedding = rotary_embedding
fla.modules.mlp.swiglu_linear = lambda x, y, weight, bias: F.linear(F.silu(x) * y, weight)
fla.modules.activations.ACT2FN.update(silu=F.silu, swish=F.silu)
layers.attn.flash_attn_func = layers.mla.flash_attn_func = flash_attn_func
layers.multiscale_retention.chunk_retention = retention
layers.gla.chunk_gla = layers.hgrn2.chunk_gla = gla
layers.hgrn.chunk_hgrn = layers.hgrn.fused_recurrent_hgrn = lambda x, g, **_: naive_recurrent_hgrn(x, g)
layers.hgrn.swiglu = lambda x, y: F.silu(x) * y
layers.hgrn2.swish = F.silu
layers.hgrn2.rms_norm_linear = rms_norm_linear
layers.delta_net.chunk_delta_rule = delta_rule
layers.gated_deltanet.chunk_gated_delta_rule = gated_delta_rule
layers.kda.chunk_kda = kda
layers.momentum_deltanet.chunk_momentum_delta_rule = momentum_delta_rule
layers.mamba2.Mamba2.forward = mamba2_forward


# Models that the library has no class for.

class MLstm(nn.Module):
    def __init__(self, heads, key_head_dim, value_head_dim, d_model, eps):
        super().__init__()
        keys, values = heads * key_head_dim, heads * value_head_dim
        self.heads, self.eps = heads, eps
        self.q, self.k = nn.Linear(d_model, keys, False), nn.Linear(d_model, keys, False)
        self.v, self.ogate_preact = nn.Linear(d_model, values, False), nn.Linear(d_model, values, False)
        self.igate_preact, self.fgate_preact = nn.Linear(d_model, heads), nn.Linear(d_model, heads)
        self.multihead_norm = nn.Module()
        self.multihead_norm.weight = nn.Parameter(torch.ones(values))
        self.out_proj = nn.Linear(values, d_model, False)

    def forward(self, x):
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731, [B, H, T, d]
        cap = lambda y: 15 * torch.tanh(y / 15).transpose(1, 2)  # noqa: E731, [B, H, T]
        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        decay = F.logsigmoid(cap(self.fgate_preact(x))).cumsum(-1)
        log_d = decay[..., :, None] - decay[..., None, :] + cap(self.igate_preact(x))[..., None, :]
        log_d = log_d.masked_fill(~torch.ones(log_d.shape[-2:], dtype=torch.bool).tril(), -torch.inf)
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 * log_d.exp()
        h = scores @ v / scores.sum(-1, keepdim=True).abs().clamp_min(1)
        h = F.layer_norm(h, h.shape[-1:], eps=self.eps).transpose(1, 2).flatten(2)
        return self.out_proj(torch.sigmoid(self.ogate_preact(x)) * (self.multihead_norm.weight * h))


class Parallel(nn.Module):
    def __init__(self, branches, fusion, d_model, eps):
        super().__init__()
        self.branches = nn.ModuleList(make_mixer(branch, d_model, eps) for branch in branches)
        if fusion == "normed_mean":
            self.norms = nn.ModuleList(nn.RMSNorm(d_model, eps) for _ in branches)
        self.normed = fusion == "normed_mean"

    def forward(self, x):
        outputs = [run_mixer(branch, x) for branch in self.branches]
        if not self.normed:
            return sum(outputs)
        return sum(norm(y) for norm, y in zip(self.norms, outputs)) / len(outputs)


def make_mixer(mixer, d_model, eps):
    """A layer from the members of our model.json; only of the mixers that these models hold."""
    m = dict(mixer)
    kind = m.pop("type")
    common = {"hidden_size": d_model, "norm_eps": eps, "layer_idx": 0}
    conv = {"use_short_conv": m.get("conv_width", 0) > 0, "conv_size": m.get("conv_width", 0)}
    if kind == "mlstm":
        return MLstm(**m, d_model=d_model, eps=eps)
    if kind == "parallel":
        return Parallel(m["branches"], m["fusion"], d_model, eps)
    if kind == "momentum_delta_net":
        return layers.MomentumDeltaNet(**common, **conv, num_heads=m["heads"], head_dim=m["key_head_dim"],
                                       expand_v=m["value_head_dim"] / m["key_head_dim"], use_gate=m["output_gate"])
    if kind == "gated_delta_net":
        return layers.GatedDeltaNet(**common, **conv, num_heads=m["heads"], num_v_heads=m["value_heads"],
                                    head_dim=m["key_head_dim"], expand_v=m["value_head_dim"] / m["key_head_dim"],
                                    use_gate=m["output_gate"], allow_neg_eigval=m["negative_eigenvalues"])
    if kind == "mamba2":
        return layers.Mamba2(**common, head_dim=m["head_dim"], state_size=m["state_dim"], n_groups=m["groups"],
                             expand=m["heads"] * m["head_dim"] / d_model, conv_kernel=m["conv_width"],
                             use_conv_bias=m["conv_bias"])
    if kind == "full_attention":
        assert m["heads"] * m["head_dim"] == d_model and m["qk_norm"] == "none"
        return layers.Attention(hidden_size=d_model, num_heads=m["heads"], num_kv_heads=m["kv_heads"],
                                qkv_bias=m["qkv_bias"], rope_theta=m["rope_theta"], layer_idx=0)
    raise ValueError(kind)


def run_mixer(mixer, x):
    output = mixer(x)
    return output[0] if isinstance(output, tuple) else output


class Block(nn.Module):
    def __init__(self, mixer, width, d_model, eps):
        super().__init__()
        self.attn_norm, self.mlp_norm = nn.RMSNorm(d_model, eps), nn.RMSNorm(d_model, eps)
        self.attn = make_mixer(mixer, d_model, eps)
        self.mlp = nn.ModuleDict({"gate_proj": nn.Linear(d_model, width, False), "up_proj": nn.Linear(d_model, width, False),
                                  "down_proj": nn.Linear(width, d_model, False)})

    def forward(self, x):
        x = x + run_mixer(self.attn, self.attn_norm(x))
        y = self.mlp_norm(x)
        return x + self.mlp["down_proj"](F.silu(self.mlp["gate_proj"](y)) * self.mlp["up_proj"](y))


class Model(nn.Module):
    def __init__(self, model):
        super().__init__()
        d_model, eps = model["d_model"], model["norm_eps"]
        self.model = nn.Module()
        self.model.embeddings = nn.Embedding(model["vocab_size"], d_model)
        self.model.layers = nn.ModuleList(Block(layer["mixer"], layer["channel_mixer"]["width"], d_model, eps)
                                          for layer in model["layers"])
        self.model.norm = nn.RMSNorm(d_model, eps)
        self.lm_head = nn.Linear(d_model, model["vocab_size"], False)

    def forward(self, tokens):
        x = self.model.embeddings(tokens)
        for layer in self.model.layers:
            x = layer(x)
        return self.lm_head(self.model.norm(x))


# Weights and tokens by the formula of parity_models.cpp.

def uniform(text, count):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = ((h ^ byte) * 0x100000001B3) % 2**64
    z = numpy.uint64(h) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    z ^= z >> numpy.uint64(31)
    return torch.from_numpy((z >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-53)


def weight(name, shape):
    if name.endswith("lower_bounds"):
        centre, width = 0, 3
    elif name.endswith("embeddings.weight"):
        centre, width = 0, 2
    elif len(shape) > 1:
        centre, width = 0, 3 / numpy.prod(shape[1:]) ** 0.5
    elif name.endswith(("A_log", "dt_bias", "Mu_log", "mu_bias", "D_log", "log_factor")):
        centre, width = -1, 1
    else:
        centre, width = 1, 0.6
    return (centre + width * (uniform(name, numpy.prod(shape)) - 0.5)).view(shape)


def build(folder):
    config = folder / "config.json"
    if not config.exists():
        return Model(json.loads((folder / "model.json").read_text()))
    config = AutoConfig.from_pretrained(folder)
    return AutoModelForCausalLM.from_config(config)


def run(folder, golden):
    model = build(folder).eval()
    parameters = dict(model.named_parameters())
    assert {p.dtype for p in parameters.values()} == {torch.float64}
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weight(name, tuple(parameter.shape)))
        vocabulary = json.loads((folder / "model.json").read_text())["vocab_size"]
        tokens = (uniform("tokens", TOKENS) * vocabulary).long().unsqueeze(0)
        output = model(tokens)
    logits = output if isinstance(output, torch.Tensor) else output.logits
    assert logits.dtype == torch.float64 and logits.isfinite().all()
    save_file({name: p.detach().clone() for name, p in parameters.items()}, folder / "model.safetensors")
    save_file({"logits": logits[0].contiguous()}, folder / "logits.safetensors")
    if golden:
        save_file({"logits": logits[0, STRIDE - 1::STRIDE].contiguous()}, golden / f"{folder.name}.safetensors")
    print(f"{folder.name:26} {type(model).__name__:28} logits {logits.std().item():.3f}")


if __name__ == "__main__":
    for bundle in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        run(bundle, pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None)
