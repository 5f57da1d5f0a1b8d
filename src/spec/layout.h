#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/spec/channel_mixer.h"
#include "src/spec/error.h"
#include "src/spec/mixer.h"

namespace plait::spec {

/// One residual layer: x + mixer(norm(x)), then x + channel_mixer(norm(x)) unless that is None.
struct LayerSpec {
  Mixer mixer;
  ChannelMixer channel_mixer = None{};
  std::optional<std::size_t> kv_from{};       ///< reuse keys and values of this earlier layer (0-based)
  std::optional<std::size_t> weights_from{};  ///< reuse all weights of this earlier layer (0-based)

  bool operator==(const LayerSpec&) const = default;
};

/// 128 bits, stable across machines, versions of the standard library and runs.
struct LayoutHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const LayoutHash&) const = default;
  std::string hex() const;  ///< 32 lower-case digits
};

/// Which token mixer and channel mixer stands at which depth. A value: equality is memberwise.
struct Layout {
  std::vector<LayerSpec> layers;

  std::size_t size() const { return layers.size(); }
  bool operator==(const Layout&) const = default;

  /// "One full layer in every `n`" (the released checkpoints of arXiv 2507.06457 named n-1): layers n, 2n, ...
  /// (1-based) are `full`, the rest `linear`. n = 0 gives a pure linear layout.
  static Layout one_full_in(std::size_t n, std::size_t layers, const LayerSpec& linear, const LayerSpec& full);

  /// "`ratio` linear layers per full layer" (the text of the same paper, Jamba, Kimi Linear): blocks of `ratio` linear
  /// layers followed by one full layer, so one full layer in every ratio + 1. A trailing partial block stays linear.
  static Layout linear_per_full(std::size_t ratio, std::size_t layers, const LayerSpec& linear, const LayerSpec& full);
};

/// The same function written in one way: a window that covers `context` becomes full attention, a ParallelMixer of one
/// branch becomes that branch, branches are sorted, and members that have no effect take their defaults.
/// `context` 0 leaves windows alone.
Layout canonical(const Layout& layout, Dim context = 0);

/// Hash of the canonical form: equal layouts have equal hashes, whatever notation or JSON they came from.
LayoutHash layout_hash(const Layout& layout, Dim context = 0);

/// Number of layers whose mixer `is_full_attention`.
std::size_t count_full(const Layout& layout);

/// Adds what is wrong with one layer of a model of width `d_model` (head counts that do not divide, a window of 0,
/// ...).
void validate(const LayerSpec& layer, Dim d_model, const std::string& path, Problems& problems);

/// Adds what is wrong with links between layers (`kv_from`, `weights_from` that point forward, at themselves, at a
/// layer without keys and values, or at one of another shape), after each layer itself.
void validate(const Layout& layout, Dim d_model, const std::string& path, Problems& problems);

}  // namespace plait::spec
