#pragma once

#include <torch/torch.h>

#include <map>
#include <string>

/// The safetensors format (8 bytes with the length of the header, a JSON header, the data; all little-endian), in which
/// weights travel between tools.
namespace plait::nn {

/// Writes tensors as F64 where they are fp64 and as F32 otherwise, aligned to 8 bytes, into a temporary file beside
/// `file` that then takes its name. Throws std::system_error when it cannot be written.
void write_safetensors(const std::string& file, const std::map<std::string, at::Tensor>& tensors);

/// Reads F64, F32, F16 and BF16 tensors, each in its own dtype, on the CPU. Throws spec::SpecError naming the file (and
/// the tensor) for what is not a valid file: a header that is cut off, no JSON or of another shape; a dtype that is not
/// listed; sizes that do not fit the range of bytes; ranges that overlap, leave gaps or pass the end.
/// Throws std::system_error when the file cannot be read.
std::map<std::string, at::Tensor> read_safetensors(const std::string& file);

}  // namespace plait::nn
