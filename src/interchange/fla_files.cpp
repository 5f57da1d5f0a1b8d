#include "src/interchange/fla_files.h"

#include <algorithm>
#include <span>

#include "costmodel/cost_report.h"
#include "src/spec/embedded_file.h"
#include "src/spec/grouped.h"
#include "src/spec/model_json.h"
#include "src/spec/notation.h"

namespace plait::embedded {
std::span<const spec::EmbeddedFile> fla_files();
}

namespace plait::interchange::fla {
namespace {

using spec::Dim;
using spec::OrderedJson;

std::string embedded_text(std::string_view name) {
  for (const spec::EmbeddedFile& file : embedded::fla_files()) {
    if (file.name == name) return std::string(file.content);
  }
  throw std::logic_error(fmt::format("{} is not embedded", name));
}

std::string text_of(const OrderedJson& value) { return value.dump(2) + "\n"; }

std::string layout_text(const ExportedModel& exported) {
  if (!exported.provenance.layout.empty()) return exported.provenance.layout;
  return spec::print_layout(exported.model.layout, spec::palette_for(exported.model.layout));
}

/// The name as part of a path: letters, digits, '.', '_' and '-' (flame's scripts take no others).
std::string path_name(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    text += plain ? c : '-';
  }
  return text.empty() ? "model" : text;
}

struct ParameterCounts {
  Dim total = 0;
  std::vector<Dim> layers;  ///< block norms, mixer, channel mixer
};

ParameterCounts count_parameters(const spec::ModelSpec& model) {
  // Parameters depend on neither the workload nor the hardware.
  const costmodel::CostReport report = costmodel::cost_report(model, {1, 1}, costmodel::find_hardware("h100"));
  ParameterCounts counts{report.parameters.total, {}};
  for (const costmodel::LayerCost& layer : report.layers) counts.layers.push_back(layer.parameters);
  return counts;
}

/// What the library must build from the config; verify.py compares.
OrderedJson expected_json(const ExportedModel& exported, const ParameterCounts& counts) {
  OrderedJson layers = OrderedJson::array();
  for (std::size_t i = 0; i < exported.model.layout.size(); ++i) {
    const spec::Mixer& mixer = exported.model.layout.layers[i].mixer;
    const auto* sliding = std::get_if<spec::SlidingWindowAttention>(&mixer);
    const auto* full = std::get_if<spec::FullAttention>(&mixer);
    OrderedJson layer;
    layer["mixer"] = sliding || full ? "Attention" : exported.type.mixer_class;
    layer["parameters"] = counts.layers[i];
    if (sliding || full) {
      const spec::SoftmaxAttention& attention = sliding ? static_cast<const spec::SoftmaxAttention&>(*sliding) : *full;
      layer["attention"] = {{"num_heads", attention.heads},
                            {"num_kv_heads", attention.kv_heads},
                            {"head_dim", attention.head_dim},
                            {"qkv_bias", attention.qkv_bias},
                            {"window_size", sliding ? OrderedJson(sliding->window) : OrderedJson()},
                            {"rope_theta", attention.rope_theta}};
    }
    layers.push_back(std::move(layer));
  }
  return {{"model_type", exported.type.name},
          {"vocab_size", exported.model.vocab_size},
          {"parameters", counts.total},
          {"layers", std::move(layers)}};
}

OrderedJson provenance_json(const ExportedModel& exported, std::string_view target) {
  const Provenance& provenance = exported.provenance;
  OrderedJson json{{"tool", "plait"}, {"version", provenance.plait_version}};
  if (provenance.date) json["date"] = *provenance.date;
  json["target"] = {{"name", target}, {"format", fmt::format("flash-linear-attention {}", kVersion)}};
  json["study"] = provenance.study;
  json["trial"] = provenance.trial;
  json["layout"] = layout_text(exported);
  json["metrics"] = provenance.metrics;
  json["model"] = spec::to_json(exported.model);
  return json;
}

std::string readme(const ExportedModel& exported, const ParameterCounts& counts, bool flame) {
  const spec::ModelSpec& model = exported.model;
  const Provenance& provenance = exported.provenance;
  std::string text = fmt::format(
      "# {}\n\n"
      "A language model for flash-linear-attention (fla), chosen with plait{}.\n\n"
      "    {}\n\n"
      "One letter per layer, input first; in notation `{}`.\n\n"
      "| | |\n|---|---|\n"
      "| model_type | `{}` (layers: {}) |\n"
      "| parameters | {} |\n"
      "| layers, hidden size, vocabulary | {}, {}, {} |\n",
      model.name, provenance.plait_version.empty() ? "" : " " + provenance.plait_version, spec::letters(model.layout),
      layout_text(exported), exported.type.name, exported.type.mixer_class, spec::grouped(counts.total),
      model.layout.size(), model.d_model, model.vocab_size);
  if (!provenance.study.empty()) text += fmt::format("| study, trial | {}, {} |\n", provenance.study, provenance.trial);
  for (const auto& [metric, value] : provenance.metrics) text += fmt::format("| {} | {} |\n", metric, value);

  text +=
      "\n## Check\n\n"
      "    pip install torch triton einops transformers==5.23.0 fla-core==0.6.0 flash-linear-attention==0.6.0\n"
      "    python verify.py\n\n"
      "builds the model without memory or a GPU and compares every layer's class, window and parameter count with\n"
      "`expected.json`. `provenance.json` holds the model as plait reads it.\n\n"
      "## Use\n\n";
  text += flame ? "    cd /path/to/flame && bash /path/to/this/launch.sh\n\n"
                : "    import fla\n"
                  "    from transformers import AutoConfig, AutoModelForCausalLM\n"
                  "    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(\"/path/to/this\"))\n\n";
  if (flame) {
    text +=
        "`NGPU`, `NNODE`, `STEPS`, `LEARNING_RATE`, `TOKENIZER`, `DATASET`, `DATASET_NAME` and `NAME` change the run. "
        "A step\n"
        "takes 65,536 tokens per GPU: with the defaults, 8 GPUs and 20,480 steps, 10.7 billion tokens in all. AdamW "
        "(0.9,\n"
        "0.95), weight decay 0.1, cosine to a tenth after 1,024 steps of warm-up, clipping at 1, bf16 with fp32 "
        "reduction,\n"
        "seed 42, a checkpoint every 2,048 steps; at the end flame converts the last one to the Hugging Face format.\n"
        "flame needs torchtitan at commit 0b44d4c (its README), CUDA GPUs, jq and wandb.\n\n";
  }
  text += "Inference: transformers with fla imported. Other runtimes need code for these layers first.\n";
  if (!exported.notes.empty()) text += "\n## Notes\n\n";
  for (const std::string& note : exported.notes) text += fmt::format("- {}\n", note);
  return text;
}

ExportBundle files(const ExportedModel& exported, std::string_view target) {
  const ParameterCounts counts = count_parameters(exported.model);
  return {{{"config.json", text_of(exported.config)},
           {"expected.json", text_of(expected_json(exported, counts))},
           {"verify.py", embedded_text("fla_verify.py"), true},
           {"README.md", readme(exported, counts, target == "flame")},
           {"provenance.json", text_of(provenance_json(exported, target))}}};
}

void replace(std::string& text, std::string_view mark, std::string_view value) {
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size())) {
    text.replace(at, mark.size(), value);
  }
}

std::string launch_script(const ExportedModel& exported) {
  // fla's Mamba-2 takes no packed sequences of variable length: the same tokens in plain batches.
  const bool packed = exported.type.name != "mamba2";
  std::string text = embedded_text("flame_launch.sh");
  replace(text, "@MODEL@", path_name(exported.model.name));
  replace(text, "@NAME@", path_name(exported.model.name));
  replace(text, "@RATE@", packed ? "1e-3" : "3e-4");
  replace(text, "@TOKENS@", "65536");
  replace(text, "@SHAPE@", packed ? "batch1.seqlen65536.context4096" : "batch16.seqlen4096.context4096");
  replace(text, "@SEQUENCES@",
          packed ? "  --training.batch_size 1 \\\n"
                   "  --training.seq_len 65536 \\\n"
                   "  --training.context_len 4096 \\\n"
                   "  --training.varlen \\"
                 : "  --training.batch_size 16 \\\n"
                   "  --training.seq_len 4096 \\\n"
                   "  --training.context_len 4096 \\");
  return text;
}

}  // namespace

ExportBundle fla_files(const ExportedModel& exported) { return files(exported, "fla"); }

ExportBundle flame_files(const ExportedModel& exported) {
  ExportBundle bundle = files(exported, "flame");
  bundle.files.push_back({"launch.sh", launch_script(exported), true});
  return bundle;
}

void add_flame_notes(const spec::ModelSpec& model, std::vector<std::string>& notes) {
  notes.push_back(
      fmt::format("flame raises vocab_size {} to the tokenizer's when that is larger: the default tokenizer "
                  "(fla-hub/transformer-1.3B-100B) has 32000 tokens",
                  model.vocab_size));
  notes.push_back("flame has tensor parallelism for transformer and gla only, and no pipeline parallelism");
}

}  // namespace plait::interchange::fla
