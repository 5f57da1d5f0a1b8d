#pragma once

#include <map>
#include <string>
#include <string_view>

#include "src/spec/layout.h"

/// Compact layout notation.
///
///     layout  := item*                      white space is ignored
///     item    := ( layer | '(' layout ')' ) [ 'x' count ]
///     layer   := mixer [ '-' | 'E' ] [ '@' index ] [ '=' index ]
///     mixer   := symbol | '[' symbol symbol+ ']'         brackets: branches that run in parallel
///     symbol  := letter [ digits ]                        "S2" is a second variant of S
///
/// Letters are Megatron's where it has them (M Mamba-2, G Gated DeltaNet, * softmax attention, + MLA, - dense MLP,
/// E mixture of experts); the rest are in `mixer_table()`. A layer is a mixer with its channel mixer, so Megatron's
/// two-character block `M-` is one layer here. Where no '-' or 'E' occurs at all, every layer takes the palette's
/// default channel mixer; where one occurs, a mixer without a suffix stands alone (channel mixer None), as in Megatron.
/// `@3` reuses the keys and values of layer 3 (0-based), `=3` all its weights; neither is allowed inside a repeat.
namespace plait::spec {

/// What the symbols of a notation stand for in one model.
struct Palette {
  std::map<std::string, Mixer, std::less<>> mixers;  ///< by symbol: "G", "*", "S2"
  ChannelMixer channel_mixer = None{};               ///< of every layer when the notation names none
  ChannelMixer dense = SwiGlu{};                     ///< what '-' stands for
  ChannelMixer experts = MoE{};                      ///< what 'E' stands for

  bool operator==(const Palette&) const = default;

  /// Every letter with its default dimensions at `d_model`; SwiGLU as channel mixer and dense MLP.
  static Palette defaults(Dim d_model);
};

/// Throws SpecError whose path is `path:column` (1-based): unknown symbol, unbalanced bracket, count of 0 or past
/// `kMaxLayers`, forward link.
Layout parse_layout(std::string_view text, const Palette& palette, const std::string& path = "layout");

/// The shortest notation this printer knows for `layout`: runs as `Gx5`, repeats as `(GGG*)x6`. Mixers that are not in
/// the palette throw std::logic_error: call `palette_for` first. `parse_layout(print_layout(l, p), p) == l`.
std::string print_layout(const Layout& layout, const Palette& palette);

/// A palette that covers the layout: one symbol per distinct mixer, numbered in order of appearance from the second
/// variant of a letter on. Throws SpecError when the layers use more than one dense or expert channel mixer beside the
/// default (the notation cannot tell them apart).
Palette palette_for(const Layout& layout);

/// One character per layer, the mixer's letter; for strips and tables.
std::string letters(const Layout& layout);

inline constexpr std::size_t kMaxLayers = 4096;

}  // namespace plait::spec
