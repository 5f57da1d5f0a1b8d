#include "src/spec/layout.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <type_traits>

namespace plait::spec {
namespace {

// --- canonical form and hash ---

void canonicalize(SoftmaxAttention& attention) {
  if (attention.rope_theta == 0.0) attention.rope_fraction = SoftmaxAttention{}.rope_fraction;
}

/// Bytes that identify a value: fixed-width little-endian words, in field order.
class Words {
 public:
  void put(std::uint64_t word) {
    for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>(word >> shift & 0xff));
  }
  void put(double value) { put(std::bit_cast<std::uint64_t>(value + 0.0)); }  // + 0.0 turns -0.0 into 0.0
  template <class Struct>
  void put_fields(const Struct& in) {
    for_each_field<Struct>([&](const auto& field) {
      const auto& member = in.*(field.member);
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, double>) {
        put(member);
      } else {
        put(static_cast<std::uint64_t>(member));
      }
    });
  }
  template <class Variant>
  void put_variant(const Variant& variant) {
    put(std::uint64_t{variant.index()});
    std::visit([&](const auto& alternative) { put_alternative(alternative); }, variant);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  template <class Struct>
  void put_alternative(const Struct& in) {
    put_fields(in);
  }
  void put_alternative(const ParallelMixer& in) {
    put(static_cast<std::uint64_t>(in.fusion));
    put(std::uint64_t{in.branches.size()});
    for (const SingleMixer& branch : in.branches) put_variant(branch);
  }

  std::string bytes_;
};

std::string bytes_of(const SingleMixer& mixer) {
  Words words;
  words.put_variant(mixer);
  return words.bytes();
}

template <class Variant>
void canonicalize_single(Variant& mixer, Dim context) {
  if (auto* window = std::get_if<SlidingWindowAttention>(&mixer); window && context > 0 && window->window >= context) {
    FullAttention full;
    static_cast<SoftmaxAttention&>(full) = *window;
    mixer = full;
  }
  std::visit(
      [](auto& alternative) {
        if constexpr (std::is_base_of_v<SoftmaxAttention, std::remove_cvref_t<decltype(alternative)>>) {
          canonicalize(static_cast<SoftmaxAttention&>(alternative));
        }
      },
      mixer);
}

void canonicalize(Mixer& mixer, Dim context) {
  if (auto* parallel = std::get_if<ParallelMixer>(&mixer)) {
    for (SingleMixer& branch : parallel->branches) canonicalize_single(branch, context);
    std::ranges::sort(parallel->branches, {}, bytes_of);
    if (parallel->branches.size() == 1 && parallel->fusion == Fusion::sum) mixer = to_mixer(parallel->branches[0]);
    return;
  }
  canonicalize_single(mixer, context);
}

// --- validation ---

template <class Struct>
void check_ranges(const Struct& in, const std::string& path, Problems& problems) {
  for_each_field<Struct>([&](const auto& field) {
    const auto& value = in.*(field.member);
    using T = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<T, Dim> || std::is_same_v<T, double>) {
      if (!(value >= field.low && value <= field.high)) {
        problems.add(join_path(path, field.key),
                     fmt::format("{} is out of range; allowed are {} to {}", value, field.low, field.high));
      }
    }
  });
}

void check_divides(Dim divisor, std::string_view divisor_name, Dim value, std::string_view value_name,
                   const std::string& path, Problems& problems) {
  if (divisor > 0 && value % divisor != 0) {
    problems.add(join_path(path, value_name),
                 fmt::format("{} is not a multiple of {} ({})", value, divisor_name, divisor));
  }
}

struct MixerChecks {
  Dim d_model;
  const std::string& path;
  Problems& problems;

  template <class Attention>
  requires std::is_base_of_v<SoftmaxAttention, Attention>
  void operator()(const Attention& m) const {
    check_ranges(m, path, problems);
    check_divides(m.kv_heads, "kv_heads", m.heads, "heads", path, problems);
  }
  void operator()(const MultiHeadLatentAttention& m) const { check_ranges(m, path, problems); }
  void operator()(const RetNet& m) const {
    check_ranges(m, path, problems);
    check_divides(m.kv_heads, "kv_heads", m.heads, "heads", path, problems);
  }
  void operator()(const Gla& m) const {
    check_ranges(m, path, problems);
    check_divides(m.kv_heads, "kv_heads", m.heads, "heads", path, problems);
  }
  void operator()(const Hgrn& m) const { check_ranges(m, path, problems); }
  void operator()(const Hgrn2& m) const {
    const std::size_t before = problems.size();
    check_ranges(m, path, problems);
    if (problems.size() == before && m.heads * m.value_head_dim != d_model) {
      problems.add(
          join_path(path, "value_head_dim"),
          fmt::format("heads x value_head_dim is {} but must be d_model ({})", m.heads * m.value_head_dim, d_model));
    }
  }
  void operator()(const DeltaNet& m) const { check_ranges(m, path, problems); }
  void operator()(const GatedDeltaNet& m) const {
    check_ranges(m, path, problems);
    check_divides(m.heads, "heads", m.value_heads, "value_heads", path, problems);
  }
  void operator()(const KimiDeltaAttention& m) const {
    check_ranges(m, path, problems);
    check_divides(m.heads, "heads", m.value_heads, "value_heads", path, problems);
  }
  void operator()(const Mamba2& m) const {
    check_ranges(m, path, problems);
    check_divides(m.groups, "groups", m.heads, "heads", path, problems);
  }
  void operator()(const MLstm& m) const { check_ranges(m, path, problems); }
  void operator()(const MomentumDeltaNet& m) const { check_ranges(m, path, problems); }
  void operator()(const ParallelMixer& m) const {
    if (m.branches.empty() || m.branches.size() > kMaxBranches) {
      problems.add(join_path(path, "branches"),
                   fmt::format("a parallel mixer has 1 to {} branches, not {}", kMaxBranches, m.branches.size()));
      return;
    }
    for (std::size_t i = 0; i < m.branches.size(); ++i) {
      const std::string branch = index_path(join_path(path, "branches"), i);
      std::visit(MixerChecks{d_model, branch, problems}, m.branches[i]);
    }
  }
};

/// The softmax or latent attention whose cache a layer holds, if any.
const SoftmaxAttention* softmax_of(const Mixer& mixer) {
  if (const auto* full = std::get_if<FullAttention>(&mixer)) return full;
  return std::get_if<SlidingWindowAttention>(&mixer);
}

bool same_cache(const Mixer& a, const Mixer& b) {
  const SoftmaxAttention* left = softmax_of(a);
  const SoftmaxAttention* right = softmax_of(b);
  if (left && right) {
    return a.index() == b.index() && left->kv_heads == right->kv_heads && left->head_dim == right->head_dim &&
           left->rope_theta == right->rope_theta;
  }
  return std::holds_alternative<MultiHeadLatentAttention>(a) && a == b;
}

/// What is wrong with a link that does not point to an earlier layer than `index`.
std::string not_earlier(std::size_t target, std::size_t index) {
  if (index == 0) return "the first layer has no earlier layer to reuse";
  return fmt::format("{} is not an earlier layer; allowed are 0 to {}", target, index - 1);
}

void check_links(const Layout& layout, std::size_t index, const std::string& path, Problems& problems) {
  const LayerSpec& layer = layout.layers[index];
  if (layer.kv_from) {
    const std::string where = join_path(path, "kv_from");
    if (*layer.kv_from >= index) {
      problems.add(where, not_earlier(*layer.kv_from, index));
    } else if (const LayerSpec& from = layout.layers[*layer.kv_from]; from.kv_from) {
      problems.add(where, fmt::format("layer {} itself reuses layer {}; name that one", *layer.kv_from, *from.kv_from));
    } else if (!same_cache(layer.mixer, from.mixer)) {
      problems.add(where,
                   fmt::format("layer {} ({}) keeps no keys and values that this layer ({}) could read: both must be "
                               "the same kind of attention with equal kv_heads, head_dim and rotary base",
                               *layer.kv_from, mixer_info(from.mixer).name, mixer_info(layer.mixer).name));
    }
  }
  if (layer.weights_from) {
    const std::string where = join_path(path, "weights_from");
    if (*layer.weights_from >= index) {
      problems.add(where, not_earlier(*layer.weights_from, index));
    } else if (const LayerSpec& from = layout.layers[*layer.weights_from]; from.weights_from) {
      problems.add(where, fmt::format("layer {} itself reuses layer {}; name that one", *layer.weights_from,
                                      *from.weights_from));
    } else if (from.mixer != layer.mixer || from.channel_mixer != layer.channel_mixer) {
      problems.add(where, fmt::format("layer {} has another mixer or channel mixer, so its weights do not fit",
                                      *layer.weights_from));
    }
  }
}

}  // namespace

std::string LayoutHash::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Layout Layout::one_full_in(std::size_t n, std::size_t layers, const LayerSpec& linear, const LayerSpec& full) {
  Layout layout;
  for (std::size_t i = 1; i <= layers; ++i) layout.layers.push_back(n > 0 && i % n == 0 ? full : linear);
  return layout;
}

Layout Layout::linear_per_full(std::size_t ratio, std::size_t layers, const LayerSpec& linear, const LayerSpec& full) {
  return one_full_in(ratio + 1, layers, linear, full);
}

Layout canonical(const Layout& layout, Dim context) {
  Layout out = layout;
  for (LayerSpec& layer : out.layers) {
    canonicalize(layer.mixer, context);
    if (auto* moe = std::get_if<MoE>(&layer.channel_mixer); moe && moe->shared_width == 0) moe->shared_gate = false;
  }
  return out;
}

LayoutHash layout_hash(const Layout& layout, Dim context) {
  const auto link = [](const std::optional<std::size_t>& from) { return from ? std::uint64_t{*from} + 1 : 0; };
  Words words;
  for (const LayerSpec& layer : canonical(layout, context).layers) {
    words.put_variant(layer.mixer);
    words.put_variant(layer.channel_mixer);
    words.put(link(layer.kv_from));
    words.put(link(layer.weights_from));
  }
  const XXH128_hash_t hash = XXH3_128bits(words.bytes().data(), words.bytes().size());
  return {hash.high64, hash.low64};
}

std::size_t count_full(const Layout& layout) {
  return static_cast<std::size_t>(
      std::ranges::count_if(layout.layers, [](const LayerSpec& layer) { return is_full_attention(layer.mixer); }));
}

void validate(const LayerSpec& layer, Dim d_model, const std::string& path, Problems& problems) {
  std::visit(MixerChecks{d_model, join_path(path, "mixer"), problems}, layer.mixer);
  const std::string channel = join_path(path, "channel_mixer");
  std::visit([&](const auto& m) { check_ranges(m, channel, problems); }, layer.channel_mixer);
  if (const auto* moe = std::get_if<MoE>(&layer.channel_mixer); moe && moe->active > moe->experts) {
    problems.add(join_path(channel, "active"),
                 fmt::format("{} experts per token, but there are only {}", moe->active, moe->experts));
  }
}

void validate(const Layout& layout, Dim d_model, const std::string& path, Problems& problems) {
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const std::string where = index_path(path, i);
    // A layer equal to its neighbour has nothing new to report.
    if (i == 0 || layout.layers[i] != layout.layers[i - 1]) validate(layout.layers[i], d_model, where, problems);
    check_links(layout, i, where, problems);
  }
}

}  // namespace plait::spec
