#include "kernels/gated_delta_rule/dispatch.cuh"
#include "kernels/gated_delta_rule/forward.cuh"

namespace plait::kernels::cuda {

int forward_bf16(const PlaitGatedDeltaRule& p, cudaStream_t stream, const Message& message) {
  return with_dims<Bf16>(p, [&]<class E, int K, int V>() {
    using Shape = ForwardShape<E, K, V>;
    return launch(forward_kernel<E, K, V>, "gated_delta_rule forward", p.sequences * p.heads, Shape::kThreads,
                  Shape::bytes(p.tokens), p, stream, message);
  });
}

}  // namespace plait::kernels::cuda
