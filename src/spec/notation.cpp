#include "src/spec/notation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <type_traits>

namespace plait::spec {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<std::size_t> mixer_of_letter(char letter) {
  const auto table = mixer_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].letter == letter) return i;
  }
  return std::nullopt;
}

std::string known_letters() {
  std::string text;
  for (const MixerInfo& info : mixer_table())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", info.letter, info.label);
  return text;
}

/// Recursive descent over the grammar in the header.
class Parser {
 public:
  Parser(std::string_view text, const Palette& palette, const std::string& path)
      : text_(text), palette_(palette), path_(path), suffixed_(text.find_first_of("-E") != text.npos) {}

  Layout parse() {
    Layout layout;
    layout.layers = sequence(0);
    if (!done()) {
      fail(peek() == ')' ? "')' without '('" : fmt::format("unexpected '{}'", peek()));
    } else if (layout.layers.empty() && problems_.empty()) {
      fail("the layout is empty");
    }
    problems_.throw_if_any();
    return layout;
  }

 private:
  static constexpr int kMaxNesting = 64;

  bool done() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    return at_ == text_.size() || stopped_;
  }
  char peek() const { return text_[at_]; }
  bool take(char c) {
    if (done() || peek() != c) return false;
    ++at_;
    return true;
  }
  void report(std::size_t column, std::string message) {
    problems_.add(fmt::format("{}:{}", path_, column + 1), std::move(message));
  }
  /// A problem after which the rest of the text means nothing.
  void fail(std::string message) {
    if (!stopped_) report(at_, std::move(message));
    stopped_ = true;
  }

  std::vector<LayerSpec> sequence(int nesting) {
    std::vector<LayerSpec> layers;
    if (nesting > kMaxNesting) {
      fail(fmt::format("brackets are nested more than {} deep", kMaxNesting));
      return layers;
    }
    while (!done() && peek() != ')') {
      const std::size_t start = at_;
      std::vector<LayerSpec> item;
      if (take('(')) {
        item = sequence(nesting + 1);
        if (!take(')')) fail(fmt::format("'(' of column {} is not closed", start + 1));
        if (item.empty() && !stopped_) report(start, "empty brackets");
      } else {
        // A link names an absolute layer, counted from the first layer of the whole layout.
        item.push_back(layer(nesting == 0 ? std::optional(layers.size()) : std::nullopt));
      }
      if (stopped_) return layers;
      const std::size_t count = repeat_count(item);
      if (layers.size() + item.size() * count > kMaxLayers) {
        fail(fmt::format("more than {} layers", kMaxLayers));
        return layers;
      }
      for (std::size_t i = 0; i < count; ++i) layers.insert(layers.end(), item.begin(), item.end());
    }
    return layers;
  }

  std::size_t repeat_count(const std::vector<LayerSpec>& item) {
    const std::size_t column = at_;
    if (!take('x')) return 1;
    const std::optional<std::size_t> count = number();
    if (!count || *count == 0) {
      report(column, "'x' must be followed by a count of at least 1");
      return 1;
    }
    const bool linked = std::ranges::any_of(item, [](const LayerSpec& l) { return l.kv_from || l.weights_from; });
    if (linked && *count > 1) report(column, "a layer with '@' or '=' cannot be repeated: write the layers out");
    return std::min(*count, kMaxLayers + 1);
  }

  std::optional<std::size_t> number() {
    if (done() || !is_digit(peek())) return std::nullopt;
    std::size_t value = 0;
    while (at_ < text_.size() && is_digit(text_[at_])) {
      value = std::min<std::size_t>(value * 10 + static_cast<std::size_t>(text_[at_] - '0'), kMaxLayers + 1);
      ++at_;
    }
    return value;
  }

  LayerSpec layer(std::optional<std::size_t> index) {
    LayerSpec layer;
    layer.mixer = mixer();
    layer.channel_mixer = suffixed_ ? ChannelMixer{None{}} : palette_.channel_mixer;
    if (take('-')) {
      layer.channel_mixer = palette_.dense;
    } else if (take('E')) {
      layer.channel_mixer = palette_.experts;
    }
    layer.kv_from = link('@', index);
    layer.weights_from = link('=', index);
    return layer;
  }

  std::optional<std::size_t> link(char mark, std::optional<std::size_t> index) {
    const std::size_t column = at_;
    if (!take(mark)) return std::nullopt;
    const std::optional<std::size_t> target = number();
    if (!target) {
      report(column, fmt::format("'{}' must be followed by the 0-based index of an earlier layer", mark));
    } else if (!index) {
      report(column, fmt::format("'{}' is not allowed inside brackets: write the layers out", mark));
    } else if (*target >= *index) {
      report(column, fmt::format("'{}{}' of layer {} does not point to an earlier layer", mark, *target, *index));
    } else {
      return target;
    }
    return std::nullopt;
  }

  Mixer mixer() {
    const std::size_t start = at_;
    if (!take('[')) return symbol();
    ParallelMixer parallel;
    while (!done() && peek() != ']') {
      const std::size_t column = at_;
      const Mixer branch = symbol();
      if (parallel.branches.size() == kMaxBranches) fail(fmt::format("more than {} branches", kMaxBranches));
      if (stopped_) return parallel;
      std::visit(
          [&](const auto& alternative) {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(alternative)>, ParallelMixer>) {
              report(column, "a branch cannot itself be parallel");
            } else {
              parallel.branches.emplace_back(alternative);
            }
          },
          branch);
    }
    if (!take(']')) fail(fmt::format("'[' of column {} is not closed", start + 1));
    if (parallel.branches.size() < 2 && !stopped_ && problems_.empty())
      report(start, "'[ ]' needs at least two branches");
    return parallel;
  }

  Mixer symbol() {
    if (done()) {
      fail("a mixer is missing");
      return FullAttention{};
    }
    const std::size_t start = at_;
    std::string name(1, text_[at_++]);
    if (name == "-" || name == "E") {
      report(start, fmt::format("'{}' must follow a mixer: a layer is a token mixer with its channel mixer", name));
      return FullAttention{};
    }
    if (name.find_first_of("()[]x@=") != name.npos || is_digit(name[0])) {
      --at_;
      fail(fmt::format("unexpected '{}'", name));
      return FullAttention{};
    }
    while (at_ < text_.size() && is_digit(text_[at_])) name += text_[at_++];
    const auto it = palette_.mixers.find(name);
    if (it != palette_.mixers.end()) return it->second;
    report(start, name.size() == 1 && !mixer_of_letter(name[0])
                      ? fmt::format("unknown mixer '{}'; letters are {}", name, known_letters())
                      : fmt::format("no mixer \"{}\" is defined in this model", name));
    return FullAttention{};
  }

  std::string_view text_;
  const Palette& palette_;
  const std::string& path_;
  bool suffixed_;
  std::size_t at_ = 0;
  bool stopped_ = false;
  Problems problems_;
};

std::string symbol_of(const Mixer& mixer, const Palette& palette) {
  std::string best;
  for (const auto& [symbol, candidate] : palette.mixers) {
    if (candidate == mixer && (best.empty() || symbol.size() < best.size())) best = symbol;
  }
  if (!best.empty()) return best;
  const auto* parallel = std::get_if<ParallelMixer>(&mixer);
  if (parallel == nullptr || parallel->fusion != Fusion::sum) {
    throw std::logic_error("print_layout: the palette lacks a mixer of the layout");
  }
  std::string text = "[";
  for (const SingleMixer& branch : parallel->branches) text += symbol_of(to_mixer(branch), palette);
  return text + "]";
}

/// Shortest way to write tokens [i, j) with repeats, by dynamic programming over intervals.
class Compressor {
 public:
  explicit Compressor(const std::vector<std::string>& tokens, const std::vector<bool>& linked)
      : tokens_(tokens), linked_(linked), n_(tokens.size()), best_(n_ * (n_ + 1)) {
    for (std::size_t length = 1; length <= n_; ++length) {
      for (std::size_t i = 0; i + length <= n_; ++i) solve(i, i + length);
    }
  }
  std::string text() const { return write(0, n_); }

 private:
  struct Choice {
    std::size_t cost = 0;
    std::size_t split = 0;  ///< > 0: [i, split) + [split, j)
    std::size_t unit = 0;   ///< > 0: [i, i + unit) repeated
  };
  Choice& at(std::size_t i, std::size_t j) { return best_[i * (n_ + 1) + j]; }
  const Choice& at(std::size_t i, std::size_t j) const { return best_[i * (n_ + 1) + j]; }

  void solve(std::size_t i, std::size_t j) {
    Choice& choice = at(i, j);
    if (j == i + 1) {
      choice.cost = tokens_[i].size();
      return;
    }
    choice.cost = SIZE_MAX;
    for (std::size_t k = i + 1; k < j; ++k) {
      const std::size_t cost = at(i, k).cost + at(k, j).cost;
      if (cost < choice.cost) choice = {cost, k, 0};
    }
    const std::size_t length = j - i;
    for (std::size_t unit = 1; unit <= length / 2; ++unit) {
      if (length % unit != 0 || !repeats(i, j, unit)) continue;
      const std::size_t brackets = unit == 1 ? 0 : 2;
      const std::size_t cost = at(i, i + unit).cost + brackets + 1 + std::to_string(length / unit).size();
      if (cost < choice.cost) choice = {cost, 0, unit};
    }
  }
  bool repeats(std::size_t i, std::size_t j, std::size_t unit) const {
    for (std::size_t k = i; k < j; ++k) {
      if (linked_[k] || (k + unit < j && tokens_[k] != tokens_[k + unit])) return false;
    }
    return true;
  }
  std::string write(std::size_t i, std::size_t j) const {
    if (j == i + 1) return tokens_[i];
    const Choice& choice = at(i, j);
    if (choice.unit == 0) return write(i, choice.split) + write(choice.split, j);
    const std::string unit = write(i, i + choice.unit);
    return fmt::format("{}x{}", choice.unit == 1 ? unit : "(" + unit + ")", (j - i) / choice.unit);
  }

  const std::vector<std::string>& tokens_;
  const std::vector<bool>& linked_;
  std::size_t n_;
  std::vector<Choice> best_;
};

/// Beyond this the cubic search for the shortest text would be felt; longer layouts are cut into pieces of this size.
constexpr std::size_t kCompressAtOnce = 128;

}  // namespace

Palette Palette::defaults(Dim d_model) {
  Palette palette;
  const auto table = mixer_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (i == detail::IndexOf<ParallelMixer, Mixer>::value) continue;  // written with brackets
    palette.mixers.emplace(std::string(1, table[i].letter), default_mixer(i, d_model));
  }
  palette.channel_mixer = palette.dense = default_swiglu(d_model);
  return palette;
}

Layout parse_layout(std::string_view text, const Palette& palette, const std::string& path) {
  return Parser(text, palette, path).parse();
}

std::string print_layout(const Layout& layout, const Palette& palette) {
  const bool suffixed = !std::ranges::all_of(
      layout.layers, [&](const LayerSpec& layer) { return layer.channel_mixer == palette.channel_mixer; });
  bool any_suffix = false;
  std::vector<std::string> tokens;
  std::vector<bool> linked;
  const LayerSpec* previous = nullptr;
  for (const LayerSpec& layer : layout.layers) {
    if (previous && *previous == layer && !layer.kv_from && !layer.weights_from) {
      tokens.push_back(tokens.back());
      linked.push_back(false);
      continue;
    }
    previous = &layer;
    std::string token = symbol_of(layer.mixer, palette);
    if (suffixed) {
      if (layer.channel_mixer == palette.dense) {
        token += '-';
      } else if (layer.channel_mixer == palette.experts) {
        token += 'E';
      } else if (!std::holds_alternative<None>(layer.channel_mixer)) {
        throw std::logic_error("print_layout: the palette lacks a channel mixer of the layout");
      }
      any_suffix |= token.back() == '-' || token.back() == 'E';
    }
    if (layer.kv_from) token += fmt::format("@{}", *layer.kv_from);
    if (layer.weights_from) token += fmt::format("={}", *layer.weights_from);
    tokens.push_back(std::move(token));
    linked.push_back(layer.kv_from || layer.weights_from);
  }
  if (suffixed && !any_suffix)
    throw std::logic_error("print_layout: the palette's default channel mixer is not the layout's");
  std::string text;
  for (std::size_t start = 0; start < tokens.size(); start += kCompressAtOnce) {
    const auto end = std::min(start + kCompressAtOnce, tokens.size());
    const std::vector<std::string> piece(tokens.begin() + static_cast<std::ptrdiff_t>(start),
                                         tokens.begin() + static_cast<std::ptrdiff_t>(end));
    const std::vector<bool> piece_linked(linked.begin() + static_cast<std::ptrdiff_t>(start),
                                         linked.begin() + static_cast<std::ptrdiff_t>(end));
    text += Compressor(piece, piece_linked).text();
  }
  return text;
}

Palette palette_for(const Layout& layout) {
  Palette palette;
  std::map<char, std::size_t> variants;
  const auto add = [&](const Mixer& mixer) {
    for (const auto& [symbol, known] : palette.mixers) {
      if (known == mixer) return;
    }
    const char letter = mixer_info(mixer).letter;
    const std::size_t variant = ++variants[letter];
    palette.mixers.emplace(variant == 1 ? std::string(1, letter) : fmt::format("{}{}", letter, variant), mixer);
  };
  std::vector<ChannelMixer> channels;
  for (const LayerSpec& layer : layout.layers) {
    const auto* parallel = std::get_if<ParallelMixer>(&layer.mixer);
    if (parallel && parallel->fusion == Fusion::sum && parallel->branches.size() > 1) {
      for (const SingleMixer& branch : parallel->branches) add(to_mixer(branch));
    } else {
      add(layer.mixer);
    }
    if (std::ranges::find(channels, layer.channel_mixer) == channels.end()) channels.push_back(layer.channel_mixer);
  }
  if (channels.size() == 1) {
    palette.channel_mixer = channels[0];
    if (!std::holds_alternative<MoE>(channels[0]) && !std::holds_alternative<None>(channels[0]))
      palette.dense = channels[0];
    if (std::holds_alternative<MoE>(channels[0])) palette.experts = channels[0];
    return palette;
  }
  std::size_t dense = 0;
  std::size_t experts = 0;
  for (const ChannelMixer& channel : channels) {
    if (std::holds_alternative<None>(channel)) continue;
    if (std::holds_alternative<MoE>(channel)) {
      palette.experts = channel;
      ++experts;
    } else {
      palette.dense = channel;
      ++dense;
    }
  }
  if (dense > 1 || experts > 1) {
    throw SpecError("layout",
                    fmt::format("the notation holds one dense and one expert channel mixer, but there are {} and {}; "
                                "use the list form \"layers\"",
                                dense, experts));
  }
  return palette;
}

std::string letters(const Layout& layout) {
  std::string text;
  for (const LayerSpec& layer : layout.layers) text += mixer_info(layer.mixer).letter;
  return text;
}

}  // namespace plait::spec
