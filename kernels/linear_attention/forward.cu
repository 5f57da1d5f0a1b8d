#include "kernels/linear_attention/forward.cuh"

namespace plait::kernels::cuda::linear {

int forward_bf16(const PlaitLinearAttention& p, cudaStream_t stream, const Message& message) {
  return with_shape<Bf16>(p, [&]<class E, int K, int V, bool kByChannel>() {
    using Shape = ForwardShape<E, K, V, kByChannel>;
    return launch(forward_kernel<E, K, V, kByChannel>, "linear_attention forward", p.sequences * p.heads,
                  Shape::kThreads, Shape::bytes(p.tokens), p, stream, message);
  });
}

}  // namespace plait::kernels::cuda::linear
