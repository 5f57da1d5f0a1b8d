#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "src/app/reproduce.h"
#include "src/evaluate/matched_proxy.h"
#include "src/spec/notation.h"

/// The published numbers, the models that stand for them and what is claimed.
namespace plait::app {
namespace {

using proxy::Tier;
using spec::Dim;
using Rows = std::span<const ReproducedRow>;

// --- mixers at small sizes ---

spec::FullAttention attention(Dim heads, Dim head_dim, double rope_theta = 10000.0) {
  spec::FullAttention mixer;
  mixer.heads = mixer.kv_heads = heads;
  mixer.head_dim = head_dim;
  mixer.rope_theta = rope_theta;
  return mixer;
}

spec::SlidingWindowAttention window_attention(Dim heads, Dim head_dim, Dim window, double rope_theta = 10000.0) {
  spec::SlidingWindowAttention mixer;
  mixer.heads = mixer.kv_heads = heads;
  mixer.head_dim = head_dim;
  mixer.rope_theta = rope_theta;
  mixer.window = window;
  return mixer;
}

spec::GatedDeltaNet gated_delta_net(Dim heads, Dim key, Dim value, Dim conv = 4) {
  return {.heads = heads, .value_heads = heads, .key_head_dim = key, .value_head_dim = value, .conv_width = conv};
}

spec::DeltaNet delta_net(Dim heads, Dim key, Dim value, Dim conv = 4) {
  return {.heads = heads, .key_head_dim = key, .value_head_dim = value, .conv_width = conv};
}

spec::Gla gla(Dim heads, Dim key, Dim value) {
  return {.heads = heads, .kv_heads = heads, .key_head_dim = key, .value_head_dim = value};
}

spec::Mamba2 mamba2(Dim heads, Dim head_dim, Dim state, Dim conv = 4) {
  return {.heads = heads, .head_dim = head_dim, .state_dim = state, .groups = 1, .conv_width = conv};
}

/// An elementwise recurrence behind a short convolution: the nearest that this table has to a layer of convolution
/// alone.
spec::Hgrn short_convolution(Dim width) { return {.width = width, .conv_width = 4, .lower_bound = false}; }

spec::ModelSpec model(Dim d_model, const std::vector<spec::Mixer>& mixers, bool swiglu) {
  spec::ModelSpec out;
  out.d_model = d_model;
  for (const spec::Mixer& mixer : mixers) {
    spec::LayerSpec& layer = out.layout.layers.emplace_back();
    layer.mixer = mixer;
    layer.channel_mixer = spec::None{};
    if (swiglu) layer.channel_mixer = spec::SwiGlu{2 * d_model};
  }
  return out;
}

/// What `plait proxy` trains for a layout, where a publication does not say otherwise; RetNet has a short convolution
/// here, as the mixers it is compared with.
spec::ModelSpec proxy_of(std::string_view layout, const proxy::ProxyShape& shape = proxy::proxy_shape(Tier::tiny)) {
  spec::ModelSpec base;
  spec::Palette palette = spec::Palette::defaults(base.d_model);
  std::get<spec::RetNet>(palette.mixers.at("R")).conv_width = 4;
  base.layout = spec::parse_layout(layout, palette);
  return evaluate::matched_proxy(base, shape, base.vocab_size, base.max_position);
}

proxy::TrainingPlan plan(std::string task, Tier tier, std::int64_t steps, std::int64_t batch) {
  proxy::TrainingPlan out;
  out.task = std::move(task);
  out.tier = tier;
  out.steps = steps;
  out.batch = batch;
  out.report_every = std::clamp<std::int64_t>(steps / 20, 1, 500);
  return out;
}

/// Row i is above row j by more than `margin`, on average over seeds.
Claim above(std::string text, std::size_t i, std::size_t j, double margin = 0) {
  return {std::move(text), {i, j}, [=](Rows rows) { return rows[0].mean() > rows[1].mean() + margin; }};
}

Claim near_published(const std::vector<PublishedRow>& rows, double tolerance) {
  std::vector<std::optional<double>> published;
  std::vector<std::size_t> all;
  for (const PublishedRow& row : rows) {
    all.push_back(all.size());
    published.push_back(row.published);
  }
  return {fmt::format("every row within {} of the published value", tolerance), all, [=](Rows ours) {
            for (std::size_t i = 0; i < ours.size(); ++i) {
              if (published[i] && std::abs(ours[i].mean() - *published[i]) > tolerance) return false;
            }
            return true;
          }};
}

// --- recall against memory ---

/// Zoology's own sizes; values digitised from its figure, about +-0.005.
Experiment recall_memory_full() {
  Experiment out;
  out.plan = plan("mqar_zoology", Tier::full, 22'528, 256);
  out.plan.report_every = 704;  // one of Zoology's epochs
  out.plan.solved = 0.99;
  out.measure = Measure::mean_accuracy;
  const std::vector<double> rates = {1e-3, 3.2e-3, 1e-2, 3.2e-2};
  const auto add = [&](std::string label, Dim d, const spec::Mixer& mixer, double published) {
    const bool own_blocks = std::holds_alternative<spec::Mamba2>(mixer);
    out.rows.push_back({std::move(label),
                        model(d, {own_blocks ? mixer : spec::Mixer(short_convolution(d)), mixer}, false), rates,
                        published});
  };
  for (const auto& [d, value] : {std::pair<Dim, double>{64, 1.0}, {128, 1.0}}) {
    add(fmt::format("attention, d {}", d), d, attention(1, d, 0.0), value);
  }
  for (const auto& [d, value] : {std::pair<Dim, double>{64, 0.890}, {128, 0.988}, {256, 0.994}}) {
    add(fmt::format("Gated DeltaNet, d {}", d), d, gated_delta_net(2, d / 2, d), value);
  }
  for (const auto& [d, value] : {std::pair<Dim, double>{64, 0.793}, {128, 0.963}, {256, 0.995}}) {
    add(fmt::format("DeltaNet, d {}", d), d, delta_net(2, d / 2, d / 2), value);
  }
  for (const auto& [d, value] : {std::pair<Dim, double>{64, 0.532}, {128, 0.771}, {256, 0.950}}) {
    add(fmt::format("GLA, d {}", d), d, gla(2, d / 4, d / 2), value);
  }
  for (const auto& [d, state, value] :
       {std::tuple<Dim, Dim, double>{64, 16, 0.690}, {128, 24, 0.796}, {256, 24, 0.844}}) {
    add(fmt::format("Mamba-2, d {}, state {}", d, state), d, mamba2(2 * d / 64, 64, state), value);
  }
  for (const auto& [window, value] : {std::pair<Dim, double>{8, 0.081}, {32, 0.310}, {128, 0.655}, {512, 0.936}}) {
    add(fmt::format("sliding window {}, d 128", window), 128, window_attention(1, 128, window, 0.0), value);
  }
  out.claims = {near_published(out.rows, 0.05),
                {"attention: at least 0.99", {0, 1}, [](Rows r) { return r[0].mean() >= 0.99 && r[1].mean() >= 0.99; }},
                above("at about 17 kB: Gated DeltaNet d 64 above GLA d 128", 2, 9),
                above("at about 17 kB: GLA d 128 above Mamba-2 d 64, state 16", 9, 11),
                above("at about 67 kB: Gated DeltaNet d 128 above GLA d 256", 3, 10),
                above("at about 67 kB: GLA d 256 above Mamba-2 d 256, state 24 (98 kB)", 10, 13),
                above("at about 34 kB: DeltaNet d 128 above the window of 32", 6, 15)};
  out.notes = {
      "layer 0 is HGRN with a convolution of width 4 in place of Zoology's BaseConv, which plait has not; Mamba-2 has "
      "two blocks of its own, as there",
      "Gated DeltaNet and DeltaNet have convolutions of width 4, GLA and attention none; no position encoding",
      "every step has fresh examples, where Zoology repeats 180k of them in 32 epochs"};
  return out;
}

/// The same question where a CPU can answer it: states of 512 numbers, one width, the load that fills them.
Experiment recall_memory_small(Tier tier) {
  Experiment out;
  const bool tiny = tier == Tier::tiny;
  out.plan = plan("mqar", tier, tiny ? 1200 : 2500, 64);
  out.measure = Measure::mean_accuracy;
  out.seeds = tiny ? 1 : 3;
  const std::vector<double> rates = tiny ? std::vector{5e-3, 1e-2} : std::vector{3e-3, 5e-3, 1e-2};
  const Dim d = 32;
  const auto add = [&](std::string label, const spec::Mixer& mixer, std::optional<double> published) {
    out.rows.push_back({std::move(label), model(d, {short_convolution(d), mixer}, true), rates, published});
  };
  add("attention", attention(1, 32), 1.0);
  add("Gated DeltaNet", gated_delta_net(2, 8, 32), 0.890);
  add("DeltaNet", delta_net(2, 8, 32), std::nullopt);
  add("GLA", gla(2, 8, 32), 0.771);
  add("Mamba-2", mamba2(2, 32, 8), 0.690);
  add("sliding window 8", window_attention(1, 32, 8), 0.145);
  out.claims = {{"attention: at least 0.99", {0}, [](Rows r) { return r[0].mean() >= 0.99; }},
                above("Gated DeltaNet above GLA", 1, 3),
                above("GLA above Mamba-2", 3, 4),
                above("DeltaNet above GLA", 2, 3),
                above("GLA above the sliding window by 0.3 and more", 3, 5, 0.3),
                above("Mamba-2 above the sliding window", 4, 5)};
  out.notes = {"published values are those at about 17 kB of state (full size): only the order is compared here",
               "every mixer holds 512 numbers: 2 heads of 8 x 32, or 8 keys and values of 32",
               "layer 0 is HGRN with a convolution of width 4 for all, in place of Zoology's BaseConv",
               "with a single seed a small difference is no difference: ask for --seeds 3"};
  return out;
}

Experiment recall_memory(Tier tier) { return tier == Tier::full ? recall_memory_full() : recall_memory_small(tier); }

// --- short convolutions ---

Experiment conv_effect(Tier tier) {
  Experiment out;
  const bool tiny = tier == Tier::tiny;  // 16 pairs at most; 32 beyond
  out.plan = plan("mqar", tiny ? Tier::tiny : Tier::small, tiny ? 1200 : 6000, tier == Tier::full ? 256 : 64);
  out.seeds = tiny ? 2 : 3;
  const std::vector<double> rates = {1e-3, 3e-3, 1e-2};
  const Dim d = 32;
  const auto add = [&](std::string label, const spec::Mixer& mixer, std::optional<double> at_16,
                       std::optional<double> at_32) {
    out.rows.push_back(
        {std::move(label), model(d, {mixer}, true), tiny ? std::vector{3e-3, 1e-2} : rates, tiny ? at_16 : at_32});
  };
  add("Gated DeltaNet, convolution 4", gated_delta_net(1, 32, 32), std::nullopt, 0.993);
  add("Gated DeltaNet, no convolution", gated_delta_net(1, 32, 32, 0), 0.970, 0.446);
  add("DeltaNet, convolution 4", delta_net(1, 32, 32), std::nullopt, std::nullopt);
  add("DeltaNet, no convolution", delta_net(1, 32, 32, 0), 1.0, 0.769);
  add("Mamba-2, convolution 4", mamba2(2, 32, 16), 0.758, 0.641);
  add("Mamba-2, convolution 1", mamba2(2, 32, 16, 1), 0.230, 0.172);
  out.claims = {above("a convolution lifts Gated DeltaNet by 0.3 and more", 0, 1, 0.3),
                above("a convolution lifts Mamba-2 by 0.3 and more", 4, 5, 0.3),
                {"Mamba-2 without a convolution: at most 0.3", {5}, [](Rows r) { return r[0].mean() <= 0.3; }},
                {"Gated DeltaNet with a convolution: at least 0.95", {0}, [](Rows r) { return r[0].mean() >= 0.95; }}};
  out.notes = {
      "the published arms are masked denoisers, most of them bidirectional, and the values are printed for one query "
      "per sequence: compare the order and the gaps",
      "one layer, d 32, 1024 numbers of state; published with 32 pairs (tiny: 16 pairs)",
      "plait's Mamba-2 has no form without a convolution: a width of 1 looks at no other token"};
  return out;
}

// --- where attention stands ---

Experiment attention_first(Tier tier) {
  Experiment out;
  // With half the batch and half the steps a layout ends anywhere between 0.3 and 0.9, by its seed.
  out.plan = plan("mqar", Tier::tiny, 1600, 64);
  out.seeds = tier == Tier::full ? 10 : 3;
  const std::vector<double> rates = tier == Tier::tiny ? std::vector{1e-2} : std::vector{5e-3, 1e-2};
  for (const auto& [label, layout, published] :
       {std::tuple<std::string, std::string, double>{"no attention", "GGGG", 0.510},
        {"attention first", "*GGG", 0.094},
        {"second", "G*GG", 1.0},
        {"third", "GG*G", 1.0},
        {"last", "GGG*", 1.0}}) {
    out.rows.push_back({label + ": " + layout, proxy_of(layout), rates, published});
  }
  out.claims = {{"attention first: at most 0.15 (median)", {1}, [](Rows r) { return r[0].median() <= 0.15; }},
                {"one attention layer, not first: at least 0.9 (median, best place)",
                 {2, 3, 4},
                 [](Rows r) {
                   return std::max({r[0].median(), r[1].median(), r[2].median()}) >= 0.9;
                 }},
                {"no attention: at most 0.75 (median)", {0}, [](Rows r) { return r[0].median() <= 0.75; }},
                {"attention in the middle above none (medians)",
                 {2, 3, 0},
                 [](Rows r) { return std::max(r[0].median(), r[1].median()) > r[2].median(); }},
                {"second place above first by 0.3 and more (medians)",
                 {2, 1},
                 [](Rows r) { return r[0].median() > r[1].median() + 0.3; }},
                {"none above attention first (medians)", {0, 1}, [](Rows r) { return r[0].median() > r[1].median(); }}};
  out.notes = {
      "published: the order (arXiv 2510.04800: never first, best in the middle, at 1B); the values are medians over "
      "three seeds of an independent PyTorch implementation of these layouts (1600 steps of 64, all MLPs equally wide)",
      "that attention fails when first is an effect of short trainings: nothing before it tells a key from a value"};
  return out;
}

// --- forgetting ---

Experiment haystack(Tier tier) {
  Experiment out;
  const bool tiny = tier == Tier::tiny;
  out.plan = plan("haystack", tier, tiny ? 1600 : 3000, tiny ? 32 : tier == Tier::small ? 64 : 128);
  out.seeds = tiny ? 5 : 10;
  const std::vector<double> rates = {1e-2};
  const auto add = [&](std::string label, std::string_view layout, std::optional<double> published, bool curriculum) {
    if (!curriculum) label += ", no curriculum";
    out.rows.push_back({std::move(label), proxy_of(layout), rates, published, curriculum});
  };
  add("Gated DeltaNet", "GG", 1.0, true);
  add("DeltaNet", "dd", 1.0, true);
  add("RetNet", "RR", std::nullopt, true);
  add("attention after Gated DeltaNet", "G*", 1.0, true);
  add("Gated DeltaNet", "GG", 0.018, false);
  add("DeltaNet", "dd", 0.018, false);
  add("attention after Gated DeltaNet", "G*", 1.0, false);
  const auto share_locked_in = [](const ReproducedRow& row) {
    return static_cast<double>(std::ranges::count_if(row.values, [](double v) { return v > 0.5; })) /
           static_cast<double>(row.values.size());
  };
  out.claims = {
      {"with a distance curriculum, Gated DeltaNet locks in with at least half of the seeds (7 of 10 there)",
       {0},
       [=](Rows r) { return share_locked_in(r[0]) >= 0.5; }},
      {"without one, it locks in with fewer of them (1 of 10 there)",
       {0, 4},
       [=](Rows r) { return share_locked_in(r[1]) < share_locked_in(r[0]); }},
      {"with attention and a curriculum: at least 0.98 (median)", {3}, [](Rows r) { return r[0].median() >= 0.98; }},
      above("what holds (DeltaNet) above what always forgets (RetNet)", 1, 2)};
  out.notes = {"published with lengths of 64 to 256; at chance there are .017 to .019",
               "the rows with attention have one Gated DeltaNet layer before it, since plait's attention has no "
               "convolution; attention alone, with one, has 1.000 there with and without a curriculum"};
  return out;
}

// --- the learning rate trap ---

Experiment learning_rate(Tier tier) {
  Experiment out;
  out.plan = plan("mqar", Tier::tiny, tier == Tier::tiny ? 800 : 1600, 64);
  out.seeds = tier == Tier::tiny ? 1 : 3;
  const proxy::ProxyShape shape{.layers = 2, .d_model = 64, .heads = 2, .key_head_dim = 32, .attention_head_dim = 32};
  for (const auto& [label, layout, low, high] :
       {std::tuple<std::string, std::string, double, double>{"RetNet", "RR", 0.244, 0.999},
        {"Gated DeltaNet", "GG", 0.144, 0.998}}) {
    out.rows.push_back({label + ", 1e-3", proxy_of(layout, shape), {1e-3}, low});
    out.rows.push_back({label + ", 1e-2", proxy_of(layout, shape), {1e-2}, high});
  }
  out.claims = {above("RetNet: 1e-2 above 1e-3 by 0.3 and more", 1, 0, 0.3),
                above("Gated DeltaNet: 1e-2 above 1e-3", 3, 2)};
  out.notes = {
      "published: that the learning rate decides who wins on this task (arXiv 2508.19029); the values are of an "
      "independent PyTorch implementation with 8 pairs, at 1e-3 without a curriculum, one seed",
      "this is why plait never compares layouts at one learning rate"};
  return out;
}

}  // namespace

std::span<const Reproduction> reproductions() {
  static constexpr std::array table = {
      Reproduction{"recall_memory",
                   "recall against memory of attention, delta rules, gated linear attention and Mamba-2",
                   "Zoology (arXiv 2312.04927, 2402.18668), recall-memory figure of its repository", recall_memory},
      Reproduction{"conv_effect", "short convolutions decide recall where the state is small",
                   "arXiv 2609.16183, constrained-state MQAR", conv_effect},
      Reproduction{"attention_first", "one attention layer helps anywhere but first", "arXiv 2510.04800, Table 5",
                   attention_first},
      Reproduction{"haystack", "a few pairs among filler: learnt with a distance curriculum",
                   "arXiv 2609.16183, haystack", haystack},
      Reproduction{"learning_rate", "one learning rate for all manufactures differences", "arXiv 2508.19029",
                   learning_rate},
  };
  return table;
}

}  // namespace plait::app
