#pragma once

#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>

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

  /// "LibTorch 2.11.0, cpu": what doctor prints.
  virtual std::string description() const = 0;

  /// Trains all members side by side. Throws spec::SpecError for an unknown task or device and for models that differ in
  /// shape or cannot be run, Unavailable when the device is not there.
  virtual TrainingResult train(std::span<const Member> members, const TrainingPlan& plan, std::stop_token stop,
                               const TrainingObserver& observer) const = 0;

  /// The shape of the task's models: its vocabulary and longest training sequence.
  struct TaskShape {
    spec::Dim vocab_size = 0;
    spec::Dim length = 0;
  };
  virtual TaskShape task_shape(const TrainingPlan& plan) const = 0;
};

/// Loads the library `plait_torch` that stands beside the program, once. Throws Unavailable.
const Backend& backend();

}  // namespace plait::proxy
