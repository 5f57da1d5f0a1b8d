#pragma once

#include <cstdint>

#include "src/spec/mixer.h"

namespace plait::costmodel {

/// FLOPs of one token mixer over one sequence of `context` tokens by the recurrent count of arXiv 2507.06457, Table 4,
/// on which its Fig. 3 rests: no projections, convolutions, channel mixers or output head, and one width d for keys and
/// values.
///
///     softmax attention             2 L^2 d   (the causal half of 4 L^2 d; a window w: 2 d (2 L w - w^2))
///     HGRN                          5 L d
///     matrix states                 k L d^2 / H, H the mixer's heads
///       k = 5   RetNet, Mamba-2; mLSTM (not in the table: a scalar decay like Mamba-2)
///       k = 7   GLA, HGRN2
///       k = 8   DeltaNet, Gated DeltaNet; KDA (not in the table: the same update with a decay per channel)
///       k = 11  Momentum DeltaNet (not in the table: 10 passes over the state where Gated DeltaNet makes 7)
///     parallel branches             their sum
///
/// MLA counts as softmax attention. Fractions of a FLOP are cut off. Throws spec::SpecError past 2^63 - 1.
std::int64_t recurrent_mixer_flops(const spec::Mixer& mixer, spec::Dim d_model, spec::Dim context);

}  // namespace plait::costmodel
