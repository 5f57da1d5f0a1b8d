#pragma once

#include <filesystem>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>

#include "src/proxy/operator_shape.h"
#include "src/proxy/training.h"

namespace plait::proxy {

/// Proxy trainings cannot run here; says why and what to do.
class Unavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The part of plait that uses LibTorch.
class Backend {
 public:
  virtual ~Backend() = default;

  /// What doctor prints: "LibTorch 2.11.0; device cpu", with ", cuda" when a GPU can be used.
  virtual std::string description() const = 0;

  /// Trains all members side by side. Throws spec::SpecError for an unknown task or device, for models that differ in
  /// shape or cannot be run and for a checkpoint of another training, Unavailable when the device is not there,
  /// std::system_error when the checkpoint cannot be read or written, and std::runtime_error, in one line, when
  /// LibTorch fails.
  virtual TrainingResult train(std::span<const Member> members, const TrainingPlan& plan, std::stop_token stop,
                               const TrainingObserver& observer) const = 0;

  /// The shape of the task's models: its vocabulary and longest training sequence.
  struct TaskShape {
    spec::Dim vocab_size = 0;
    spec::Dim length = 0;
  };
  virtual TaskShape task_shape(const TrainingPlan& plan) const = 0;

  struct Weights {
    std::size_t tensors = 0;
    std::int64_t parameters = 0;
  };
  /// Weights of one model as a model.safetensors of flash-linear-attention: read from `from`, or the initial ones of
  /// `seed` when that is empty, and written to `to` in fp32 unless that is empty. Throws spec::SpecError for a model
  /// that cannot be run and for a file whose names or shapes are not the model's, std::system_error for what cannot be
  /// read or written.
  virtual Weights copy_weights(const spec::ModelSpec& model, std::uint64_t seed, const std::filesystem::path& from,
                               const std::filesystem::path& to) const = 0;

  /// The time of one run of an operator on "cpu" or "cuda". Throws as train, and std::runtime_error in one line when it
  /// does not fit.
  virtual OperatorTime measure(const OperatorShape& shape, const std::string& device) const = 0;
};

/// The library that stands beside the program, libplait_torch.so, loaded once. Throws Unavailable.
const Backend& backend();

/// Loads a library for good. Throws Unavailable when it is not there, lacks one of the libraries that it needs, or is
/// none of this version of plait.
const Backend& load_backend(const std::filesystem::path& library);

}  // namespace plait::proxy
