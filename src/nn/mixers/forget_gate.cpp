#include "src/nn/mixers/forget_gate.h"

namespace plait::nn {

ForgetGate forget_gate(const at::Tensor& f, const at::Tensor& lower_bound) {
  const at::Tensor logits = in_full_precision(f);
  at::Tensor log_decay = at::log_sigmoid(logits);
  at::Tensor input = at::sigmoid(-logits);
  if (lower_bound.defined()) {
    const at::Tensor bound = beside_tokens(in_full_precision(lower_bound));
    log_decay = at::logaddexp(bound.log(), at::log1p(-bound) + log_decay);
    input = (1 - bound) * input;
  }
  return {log_decay.to(f.scalar_type()), input.to(f.scalar_type())};
}

}  // namespace plait::nn
