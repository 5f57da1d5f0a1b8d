#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Published results that the prior rests on, compiled into the program from src/quality/published/*.json. Mixers are
/// called by the names of spec::mixer_table().
namespace plait::quality {

/// One trained model of arXiv 2507.06457: one linear mixer, `full` of `layers` layers full attention, each ending its
/// block.
struct RatioCell {
  std::string mixer;
  std::string ratio;  ///< as the checkpoints are named: "pure", "24-1", ..., "3-1" = one full layer in every 3
  std::size_t layers = 0;
  std::size_t full = 0;
  double value = 0;
};

/// One trained model of arXiv 2510.04800: Mamba-2 layers and attention at the named layers.
struct PlacementCell {
  std::string size;   ///< "1B" or "350M"
  std::string ratio;  ///< attention : Mamba-2 as the paper groups its rows; "pure" and "all" at the ends
  int table = 0;
  std::size_t layers = 0;
  std::vector<std::size_t> full;   ///< 1-based
  double nll = 0;                  ///< nats per token on DCLM
  std::optional<double> accuracy;  ///< mean over its tasks, in percent

  std::string name() const;  ///< "1B {3,7,11} of 13"
};

/// Kimi Linear's ratio ablation: full layers at the end of each block; validation perplexity.
struct PerplexityCell {
  std::string ratio;  ///< linear : full
  std::size_t layers = 0;
  std::size_t full = 0;
  double perplexity = 0;
};

struct PublishedTables {
  std::vector<RatioCell> lm_average;  ///< Table 6: mean accuracy over tasks and over 340M and 1.3B, in [0, 1]
  std::vector<RatioCell> recall;      ///< Table 7: RULER mean at 1.3B, in [0, 1]
  double transformer_lm_average = 0;  ///< mean of Tables 2 and 3: an assumption, Table 6 has no such row
  double transformer_recall = 0;      ///< Table 5
  std::vector<PlacementCell> placement;
  std::vector<PerplexityCell> kimi;
  std::vector<std::string> sources;  ///< one line per file
};

const PublishedTables& published_tables();

/// The cell of a 24-layer model with `full` full layers, or nothing when none was published. "full_attention" with 24
/// is the Transformer.
std::optional<double> published_lm_average(std::string_view mixer, std::size_t full);
std::optional<double> published_recall(std::string_view mixer, std::size_t full);

/// Full layers of 24 in a checkpoint called `ratio`: "3-1" -> 8, "pure" -> 0.
std::optional<std::size_t> published_full_layers(std::string_view ratio);

}  // namespace plait::quality
