#include "kernels/linear_attention/backward.cuh"

namespace plait::kernels::cuda::linear {

int backward_fp32(const PlaitLinearAttention& p, cudaStream_t stream, const Message& message) {
  return with_shape<float>(p, [&]<class E, int K, int V, bool kByChannel>() {
    using Shape = BackwardShape<E, K, V, kByChannel>;
    return launch(backward_kernel<E, K, V, kByChannel>, "linear_attention backward", p.sequences * p.heads,
                  Shape::kThreads, Shape::kBytes, p, stream, message);
  });
}

}  // namespace plait::kernels::cuda::linear
