#pragma once

#include "costmodel/count.h"
#include "src/spec/mixer.h"

/// What there is to count about one token mixer, without hardware, context or batch. One file per mixer fills it in;
/// layer_cost.cpp turns it into FLOPs, bytes and operators. Notation as in the papers: D the model width, H heads, K
/// and V key and value width per head.
namespace plait::costmodel {

using spec::Dim;

/// Kernels that run a recurrence over a whole sequence in chunks of 64 tokens. They fix the FLOPs per chunk and, with a
/// factor in roofline.cpp, the time of a chunk.
enum class ChunkKernel {
  none,
  gated_linear,     ///< S <- decay S + k v^T, decay per key channel: GLA, HGRN2
  scalar_linear,    ///< the same with one decay per head: RetNet, mLSTM
  state_space,      ///< the same as Mamba-2 runs it
  delta,            ///< S <- decay (I - beta k k^T) S + beta k v^T, scalar decay or none: DeltaNet, Gated DeltaNet
  channel_delta,    ///< the same with a decay per key channel: KDA
  momentum_delta,   ///< the delta rule through a second state: Momentum DeltaNet
  elementwise_scan  ///< h <- f h + i, one number per channel: HGRN
};

/// One recurrent state of K x V per head and sequence (momentum_delta: two of them).
struct Recurrence {
  ChunkKernel kernel = ChunkKernel::none;
  Dim heads = 0;
  Dim key_dim = 0;
  Dim value_dim = 0;
  Dim key_heads = 0;        ///< that q and k have, each shared by several states; 0: as many as `heads`
  bool normalized = false;  ///< mLSTM: a further value column holds the normaliser, and one number the running maximum
};

/// The cache and the cost of softmax attention.
struct Attention {
  Count cached_per_token;    ///< elements kept per token and read by every later one
  bool owns_cache = true;    ///< false: the layer reads another layer's cache
  Dim window = 0;            ///< tokens seen; 0 is all
  Count prefill_pair_flops;  ///< per (query, key) pair, all heads
  Count decode_pair_flops;
  Count prefill_io_per_token;  ///< elements of q, k, v and the output
  Count output;                ///< elements of the output per token
};

/// What tensor parallelism can split. Heads are dealt out to the ranks; key/value heads (or groups) that are fewer than
/// the ranks are held by several of them.
struct Sharding {
  Dim heads = 1;         ///< the degree must divide it
  Dim kv_heads = 1;      ///< divides the degree or is divided by it
  Count kv_parameters;   ///< parameters that belong to key/value heads
  Count kv_conv_window;  ///< of conv_window, what belongs to them
  Count replicated;      ///< parameters that every rank holds: norms within a head, low-rank down-projections
};

struct MixerShape {
  // Parameters, by what they do per token.
  Count projections;   ///< matrices: one multiply-add per weight
  Count convolutions;  ///< depthwise kernels: one multiply-add per weight
  Count vectors;       ///< norms, biases, per-head scalars: no FLOPs counted

  Count projection_io;         ///< elements that the projections read and write per token
  int projection_kernels = 2;  ///< launches when projections that read the same input are one product
  int projections_apart = 0;   ///< launches when every projection is a product of its own
  Count pass_io;               ///< elements per token that convolutions, norms, rotary and gates read and write
  int passes = 0;              ///< launches of these when one kernel takes all that there is to pass
  int passes_apart = 0;        ///< launches when q, k and v, and every function, have a kernel each
  Count saved_width;           ///< elements per token between projections and core: q, k, v, latents, gates
  Count conv_window;           ///< elements of convolution input kept per sequence while decoding
  Count convolved;             ///< channels of the convolutions

  Attention attention;
  Recurrence recurrence;
  Sharding sharding;

  /// A projection without bias.
  void project(Dim in, Dim out);
  /// Depthwise convolutions of `width` taps over `channels` of so many inputs; width 0 is none.
  void convolve(Count channels, Dim width, int inputs, bool bias = false);
  /// A pass that reads and writes so many elements per token, in one kernel or in `apart` of them. L2 norms of q and k
  /// and sums of decays are no passes: the kernels of a recurrence take them in.
  void pass(Count in, Count out, int apart);
  /// The norm of an output of so many elements, with its gate if it has one.
  void norm_output(Count width, bool gated) { pass(Count(gated ? 2 : 1) * width, width, 1); }

  Count parameters() const { return projections + convolutions + vectors; }
};

/// `shares_kv`: the layer reuses the cache of another one, so it has no key and value projections of its own.
MixerShape mixer_shape(const spec::FullAttention& mixer, Dim d_model, bool shares_kv);
MixerShape mixer_shape(const spec::SlidingWindowAttention& mixer, Dim d_model, bool shares_kv);
MixerShape mixer_shape(const spec::MultiHeadLatentAttention& mixer, Dim d_model, bool shares_kv);
MixerShape mixer_shape(const spec::RetNet& mixer, Dim d_model);
MixerShape mixer_shape(const spec::Gla& mixer, Dim d_model);
MixerShape mixer_shape(const spec::Hgrn& mixer, Dim d_model);
MixerShape mixer_shape(const spec::Hgrn2& mixer, Dim d_model);
MixerShape mixer_shape(const spec::DeltaNet& mixer, Dim d_model);
MixerShape mixer_shape(const spec::GatedDeltaNet& mixer, Dim d_model);
MixerShape mixer_shape(const spec::KimiDeltaAttention& mixer, Dim d_model);
MixerShape mixer_shape(const spec::Mamba2& mixer, Dim d_model);
MixerShape mixer_shape(const spec::MLstm& mixer, Dim d_model);
MixerShape mixer_shape(const spec::MomentumDeltaNet& mixer, Dim d_model);

/// FLOPs of the mixer's core over one sequence of `tokens`: causal attention over exactly the pairs seen, or the
/// chunked algorithm of the recurrence (chunks of 64, the last one shorter). Projections and convolutions are not in
/// it.
Count core_prefill_flops(const MixerShape& shape, Dim tokens);
/// FLOPs of one token with `cached` tokens in the cache, its own included: every visible key once, or one recurrent
/// step.
Count core_decode_flops(const MixerShape& shape, Dim cached);
/// Elements of the recurrent state of one sequence; convolution windows are not in it.
Count state_elements(const MixerShape& shape);
/// Elements of the key/value cache of one sequence of `tokens`, whoever owns it.
Count cached_elements(const MixerShape& shape, Dim tokens);

inline constexpr Dim kChunk = 64;

}  // namespace plait::costmodel
