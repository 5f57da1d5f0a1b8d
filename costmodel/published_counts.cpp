#include "costmodel/published_counts.h"

#include <algorithm>
#include <variant>

#include "costmodel/count.h"

namespace plait::costmodel {
namespace {

using spec::Dim;

struct Size {
  Dim d;  // d_model
  Dim l;  // context
};

Count softmax(Size s) { return Count(2) * s.l * s.l * s.d; }

Count matrix_state(Dim k, Dim heads, Size s) {
  // k L d^2 / H with the division last, by parts: d^2 = q H + r.
  const Dim square = s.d * s.d;
  const Count scale = Count(k) * s.l;
  const Count whole = scale * (square / heads);
  const Count rest = scale * (square % heads);
  return rest.too_large() ? rest : whole + Count(rest.exact("recurrent_mixer_flops") / heads);
}

Count flops(const spec::FullAttention&, Size s) { return softmax(s); }
Count flops(const spec::SlidingWindowAttention& m, Size s) {
  const Dim w = std::min(m.window, s.l);
  return Count(2) * s.d * w * (2 * s.l - w);
}
Count flops(const spec::MultiHeadLatentAttention&, Size s) { return softmax(s); }
Count flops(const spec::RetNet& m, Size s) { return matrix_state(5, m.heads, s); }
Count flops(const spec::Gla& m, Size s) { return matrix_state(7, m.heads, s); }
Count flops(const spec::Hgrn&, Size s) { return Count(5) * s.d * s.l; }
Count flops(const spec::Hgrn2& m, Size s) { return matrix_state(7, m.heads, s); }
Count flops(const spec::DeltaNet& m, Size s) { return matrix_state(8, m.heads, s); }
Count flops(const spec::GatedDeltaNet& m, Size s) { return matrix_state(8, m.heads, s); }
Count flops(const spec::KimiDeltaAttention& m, Size s) { return matrix_state(8, m.heads, s); }
Count flops(const spec::Mamba2& m, Size s) { return matrix_state(5, m.heads, s); }
Count flops(const spec::MLstm& m, Size s) { return matrix_state(5, m.heads, s); }
Count flops(const spec::MomentumDeltaNet& m, Size s) { return matrix_state(11, m.heads, s); }
Count flops(const spec::ParallelMixer& m, Size s) {
  Count sum = 0;
  for (const auto& branch : m.branches) sum += std::visit([&](const auto& b) { return flops(b, s); }, branch);
  return sum;
}

}  // namespace

std::int64_t recurrent_mixer_flops(const spec::Mixer& mixer, Dim d_model, Dim context) {
  return std::visit(
             [&](const auto& m) {
               return flops(m, Size{d_model, context});
             },
             mixer)
      .exact("recurrent_mixer_flops");
}

}  // namespace plait::costmodel
