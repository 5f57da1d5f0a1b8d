#pragma once

#include <fmt/format.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/spec/json_reader.h"
#include "src/spec/model_spec.h"

/// What plait knows about flash-linear-attention (fla), shared by its importer and exporter. A fla config is one JSON
/// object: `model_type` names the class, the other keys are its constructor's arguments. Every layer holds the one
/// native mixer of the class, except those that `attn` lists: they hold softmax attention. Source: fla 0.6.0,
/// fla/models/*/configuration_*.py and fla/layers/*.py; tests/interchange/peers holds it to that.
namespace plait::interchange::fla {

inline constexpr std::string_view kVersion = "0.6.0";

/// Constructor arguments with their defaults, in the class's order; nullptr for a type without a row. `dt_limit` of
/// mamba2 is missing: its default, (0, infinity), has no portable JSON form.
const spec::OrderedJson* class_defaults(std::string_view model_type);

/// Reads keys of a config, absent ones from the class defaults. A getter that finds something wrong reports it and
/// returns the default. Strict where Python is not: true is no integer, "4" is no number.
class ConfigReader {
 public:
  ConfigReader(const spec::Json& config, const spec::OrderedJson& defaults, std::string path, spec::Problems& problems);

  spec::Dim integer(std::string_view key, spec::Dim low = 1, spec::Dim high = spec::kMaxDim);
  /// Nothing for null.
  std::optional<spec::Dim> optional_integer(std::string_view key, spec::Dim low = 1);
  /// Finite and above zero.
  double positive(std::string_view key);
  std::optional<double> optional_number(std::string_view key);
  bool boolean(std::string_view key);
  /// As given or by default; null when the class has no such key.
  spec::Json value(std::string_view key) const;

  /// `whole` times the ratio under `key`, rounded as the layer does it. `nearest` and `exact_floor` report a product
  /// that is no integer (to 1e-9 and 1e-5, as fla asserts); `floor` cuts in silence, as fla does. 0 after a problem.
  enum class Rounding { nearest, exact_floor, floor };
  spec::Dim product(std::string_view key, spec::Dim whole, std::string_view whole_key, Rounding rounding);

  /// width / divisor; reports a remainder at `key`, which holds the divisor. `width_text` says what the width is.
  spec::Dim quotient(spec::Dim width, std::string_view width_text, std::string_view key, spec::Dim divisor);

  template <class... Args>
  void problem(std::string_view key, fmt::format_string<Args...> format, Args&&... args) {
    problems_.add(spec::join_path(path_, key), fmt::format(format, std::forward<Args>(args)...));
  }
  const spec::Json& config() const { return config_; }

 private:
  const spec::Json& config_;
  const spec::OrderedJson& defaults_;
  std::string path_;
  spec::Problems& problems_;
};

using Reasons = std::vector<std::string>;

/// One model class: how its native mixer is read from a config and written into one.
struct ModelType {
  std::string_view name;         ///< `model_type`
  std::string_view mixer_class;  ///< class of the native layers
  std::size_t mixer;             ///< row of spec::mixer_table()
  bool takes_attn;               ///< honours `attn`; the others accept the key and ignore it
  spec::Mixer (*read)(ConfigReader&, spec::Dim d_model);
  /// Sets the mixer's keys of a config that holds the class defaults; adds what the class cannot express.
  void (*write)(const spec::Mixer&, spec::Dim d_model, spec::OrderedJson& config, Reasons& reasons);
};

std::span<const ModelType> model_types();
const ModelType* find_model_type(std::string_view name);
/// The class whose native mixer is `mixer`, nullptr when fla has none. Sliding windows and full attention: transformer.
const ModelType* model_type_of(const spec::Mixer& mixer);

/// What stands in the way of softmax attention in a fla layer of width `d_model`; `qk_norm` tells whether the class has
/// it.
Reasons attention_obstacles(const spec::SoftmaxAttention& attention, spec::Dim d_model, bool qk_norm);

}  // namespace plait::interchange::fla
