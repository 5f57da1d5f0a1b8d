#include "kernels/common/cuda_call.h"
#include "kernels/random/mix.h"
#include "kernels/random/random.h"

namespace plait::kernels {
namespace {

/// int64 shifts are arithmetic: the mask makes them logical.
at::Tensor shifted(const at::Tensor& x, std::int64_t bits) {
  return x.bitwise_right_shift(bits).bitwise_and_(as_signed(~std::uint64_t{0} >> bits));
}

bool fits_cuda_sort(const at::Tensor& x) {
  return on_kernels(x) && x.numel() > 0 && x.size(-1) <= 1024 &&
         (x.scalar_type() == at::kLong || x.scalar_type() == at::kDouble);
}

at::Tensor cuda_sort(const at::Tensor& x, bool of_order) {
  const at::Tensor from = dense(x), out = at::empty(from.sizes(), from.options().dtype(at::kLong));
  PlaitSortRows arguments{};
  arguments.width = from.size(-1);
  arguments.rows = from.numel() / arguments.width;
  arguments.of_doubles = from.scalar_type() == at::kDouble;
  arguments.x = data(from);
  (of_order ? arguments.order : arguments.values) = out.mutable_data_ptr<std::int64_t>();
  enqueue(cuda_library().sort_rows, arguments, from.device());
  return out;
}

}  // namespace

at::Tensor random_words(const at::Tensor& keys, std::int64_t used, std::int64_t count) {
  if (on_kernels(keys)) {
    const at::Tensor from = keys.contiguous(), out = at::empty({from.size(0), count}, from.options());
    PlaitRandomWords arguments{};
    arguments.streams = from.size(0);
    arguments.words = count;
    arguments.used = used;
    arguments.keys = from.const_data_ptr<std::int64_t>();
    arguments.x = out.mutable_data_ptr<std::int64_t>();
    enqueue(cuda_library().random_words, arguments, from.device());
    return out;
  }
  const at::Tensor counter = at::arange(used + 1, used + count + 1, keys.options()).mul_(as_signed(kGolden));
  at::Tensor x = keys.unsqueeze(1) + counter;
  x.bitwise_xor_(shifted(x, 30)).mul_(as_signed(kMix1));
  x.bitwise_xor_(shifted(x, 27)).mul_(as_signed(kMix2));
  // The last shift may stay arithmetic: it only clears the sign and flips bits by it.
  return x.bitwise_xor_(x.bitwise_right_shift(31));
}

at::Tensor sorted_rows(const at::Tensor& x) {
  return fits_cuda_sort(x) && x.scalar_type() == at::kLong ? cuda_sort(x, false) : std::get<0>(x.sort(-1));
}

at::Tensor row_order(const at::Tensor& x) {
  return fits_cuda_sort(x) ? cuda_sort(x, true) : x.argsort(std::int64_t{-1});
}

at::Tensor distinct(const at::Tensor& x, std::int64_t range, std::int64_t count) {
  const std::int64_t m = x.size(-1);
  if (fits_cuda_sort(x) && x.scalar_type() == at::kLong && range < (std::int64_t{1} << 31) && x.dim() == 3 &&
      x.stride(2) == 1 && x.stride(0) == x.size(1) * x.stride(1)) {
    const at::Tensor out = at::empty({x.size(0), x.size(1), count}, x.options());
    PlaitDistinct arguments{};
    arguments.rows = x.size(0) * x.size(1);
    arguments.width = m;
    arguments.stride = x.stride(1);
    arguments.range = range;
    arguments.count = count;
    arguments.x = x.const_data_ptr<std::int64_t>();
    arguments.values = out.mutable_data_ptr<std::int64_t>();
    enqueue(cuda_library().distinct, arguments, x.device());
    return out;
  }
  // Value and place are packed into one number so that sorting needs no second gather.
  const at::Tensor packed = sorted_rows((x.remainder(range) * m).add_(at::arange(m, x.options())));
  const at::Tensor value = packed.div(m, "floor");
  const at::Tensor place = packed - value * m;
  const at::Tensor repeats = value.narrow(-1, 1, m - 1).eq(value.narrow(-1, 0, m - 1));
  place.narrow(-1, 1, m - 1).add_(repeats, m);
  return sorted_rows(place.mul_(range).add_(value)).narrow(-1, 0, count).remainder(range);
}

}  // namespace plait::kernels
