#include "kernels/gated_delta_rule/backward.cuh"
#include "kernels/gated_delta_rule/dispatch.cuh"

namespace plait::kernels::cuda {

int backward_fp32(const PlaitGatedDeltaRule& p, cudaStream_t stream, const Message& message) {
  return with_dims<float>(p, [&]<class E, int K, int V>() {
    using Shape = BackwardShape<E, K, V>;
    return launch(backward_kernel<E, K, V>, "gated_delta_rule backward", p.sequences * p.heads, Shape::kThreads,
                  Shape::kBytes, p, stream, message);
  });
}

}  // namespace plait::kernels::cuda
