#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "src/report/result_table.h"

namespace plait::report {

/// A made-up study that looks like a real one: layouts of `layers` layers with 0 to half of them full attention, recall
/// that rises with them and saturates, and the caches and decode times that go with them.
inline ResultTable sample_table(std::size_t trials, std::size_t layers = 24) {
  std::mt19937_64 random(7);
  const auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  const auto row_for = [&](std::string letters, double luck) {
    double full = 0, window = 0, delta = 0;
    for (const char c : letters) {
      full += c == '*';
      window += c == 'S';
      delta += c == 'G' || c == 'd';
    }
    const auto n = static_cast<double>(letters.size());
    ResultRow row;
    row.letters = letters;
    row.layout = letters;
    const double share = full / n;
    const double recall = 0.2 + 0.22 * (1 - std::exp(-7 * share)) + 0.02 * window / n + 0.03 * delta / n - 0.05 * luck -
                          (letters.front() == '*' ? 0.02 : 0);
    const double cache = (full * 1.0 + window * 0.06) * 0x1p29 * 24 / n;
    const double state = (n - full - window) * 2.0 * 0x1p20;
    row.scores["recall"] = {recall, 0.012 + 0.01 * (1 - share), search::Source::prior};
    row.scores["kv_cache_bytes"] = {cache, {}, search::Source::exact};
    row.scores["state_bytes"] = {state, {}, search::Source::exact};
    row.scores["decode_step_s"] = {4.1e-3 + cache / 2.6e12 + state / 2.9e12, {}, search::Source::estimate};
    row.scores["forward_flops"] = {8.3e13 + 9e12 * full, {}, search::Source::exact};
    return row;
  };
  ResultTable table;
  table.metrics = {
      {"recall", "1", search::Direction::maximize, "mean accuracy of the recall tasks"},
      {"kv_cache_bytes", "bytes", search::Direction::minimize, "keys and values of one sequence"},
      {"decode_step_s", "s", search::Direction::minimize, "one token for the whole batch"},
      {"state_bytes", "bytes", search::Direction::minimize, "fixed states of one sequence"},
      {"forward_flops", "flops", search::Direction::minimize, "one forward pass"},
  };
  for (std::size_t t = 0; t < trials; ++t) {
    const double share = uniform() * uniform() * 0.6;
    std::string letters;
    for (std::size_t i = 0; i < layers; ++i) {
      const double u = uniform();
      letters += u < share ? '*' : u < share + 0.06 ? 'S' : "GGGMHd"[random() % 6];
    }
    ResultRow row = row_for(letters, uniform() * uniform());
    row.trial = std::to_string(t);
    row.feasible = row.scores["kv_cache_bytes"].value < 9.0 * 0x1p30;
    if (t % 5 == 0) row.scores["recall"].source = search::Source::measured;
    table.rows.push_back(std::move(row));
  }
  const auto baseline = [&](std::string name, std::size_t period, char linear) {
    std::string letters;
    for (std::size_t i = 1; i <= layers; ++i) letters += period > 0 && i % period == 0 ? '*' : linear;
    ResultRow row = row_for(letters, 0.35);
    row.trial = std::to_string(table.rows.size() - trials).insert(0, 1, 'b');  // g++ 12 warns of "b" + ...
    row.name = std::move(name);
    row.is_baseline = true;
    row.scores["recall"].source = search::Source::measured;
    table.rows.push_back(std::move(row));
  };
  if (trials > 0) {
    baseline("full attention", 1, 'G');
    baseline("GDN 1:3", 4, 'G');
    baseline("GDN 1:7", 8, 'G');
    baseline("pure Mamba-2", 0, 'M');
  }
  std::vector<ResultRow*> order;
  for (ResultRow& row : table.rows) {
    if (row.feasible && !row.is_baseline) order.push_back(&row);
  }
  const auto cache = [](const ResultRow* row) { return row->scores.at("kv_cache_bytes").value; };
  const auto recall = [](const ResultRow* row) { return row->scores.at("recall").value; };
  std::ranges::sort(
      order, [&](auto* a, auto* b) { return std::pair(cache(a), -recall(a)) < std::pair(cache(b), -recall(b)); });
  double best = -1;
  for (ResultRow* row : order) {
    row->on_front = recall(row) > best;
    best = std::max(best, recall(row));
  }
  return table;
}

inline Figure sample_figure(std::size_t trials, std::size_t layers = 24) {
  Figure figure = make_figure(sample_table(trials, layers), "kv_cache_bytes", "recall");
  figure.title = "Recall against KV cache: 24-layer hybrids at 1.3B parameters";
  figure.subtitle = "study quickstart · d_model 2048, 24 layers · NVIDIA H100 SXM, context 32768, batch 8, bf16";
  figure.notes = {"Recall: published-results prior, one standard deviation. KV cache: exact, per sequence."};
  return figure;
}

}  // namespace plait::report
