#include "src/nn/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "src/spec/json_reader.h"

static_assert(std::endian::native == std::endian::little, "the data of a safetensors file are copied as they stand");

namespace plait::nn {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  ///< the format's own limit

struct DType {
  std::string_view name;
  at::ScalarType type;
  std::uint64_t bytes;
};
constexpr std::array<DType, 4> kDTypes{
    {{"F64", at::kDouble, 8}, {"F32", at::kFloat, 4}, {"F16", at::kHalf, 2}, {"BF16", at::kBFloat16, 2}}};

/// One tensor of the header.
struct Entry {
  std::string name;
  const DType* dtype = nullptr;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  ///< within the data
};

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string read_file(const std::string& file) {
  errno = EISDIR;
  if (std::filesystem::is_directory(file)) throw_errno(file);
  errno = 0;
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) throw_errno(file);
  const std::streamoff size = in.tellg();
  std::string bytes(static_cast<std::size_t>(std::max<std::streamoff>(size, 0)), '\0');
  in.seekg(0);
  if (size < 0 || !in.read(bytes.data(), size)) throw_errno(file);
  return bytes;
}

/// An integer in [0, limit], or nothing.
std::optional<std::uint64_t> natural(const spec::Json& value, std::uint64_t limit) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > limit) return std::nullopt;
  return value.get<std::uint64_t>();
}

class HeaderReader {
 public:
  HeaderReader(const std::string& file, std::uint64_t data_bytes) : file_(file), data_bytes_(data_bytes) {}

  /// The tensors in the order of their data.
  std::vector<Entry> read(const spec::Json& header) {
    std::vector<Entry> entries;
    if (!header.is_object()) throw spec::SpecError(file_, "the header must be a JSON object");
    check_length(header);
    for (const auto& [name, value] : header.items()) {
      if (name != "__metadata__") {
        if (auto entry = read_entry(name, value)) entries.push_back(std::move(*entry));
      } else if (!value.is_object() || !std::ranges::all_of(value, [](const auto& v) { return v.is_string(); })) {
        add(name, "must be an object of strings");
      }
    }
    problems_.throw_if_any();
    std::ranges::sort(entries, {}, [](const Entry& e) { return std::pair(e.begin, e.end); });
    check_cover(entries);
    problems_.throw_if_any();
    return entries;
  }

 private:
  void add(const std::string& tensor, std::string message) {
    problems_.add(fmt::format("{}: tensor \"{}\"", file_, tensor), std::move(message));
  }

  std::optional<Entry> read_entry(const std::string& name, const spec::Json& value) {
    Entry entry{.name = name, .dtype = nullptr, .shape = {}};
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets")) {
      add(name, "must be an object of dtype, shape and data_offsets");
      return std::nullopt;
    }
    const auto dtype = std::ranges::find_if(kDTypes, [&](const DType& d) { return value["dtype"] == d.name; });
    if (dtype == kDTypes.end()) {
      add(name, fmt::format("dtype {}: plait reads F64, F32, F16 and BF16", value["dtype"].dump()));
      return std::nullopt;
    }
    entry.dtype = &*dtype;
    const auto bytes = read_shape(value["shape"], entry);
    if (!bytes) {
      add(name, fmt::format("shape {}: must be a list of sizes whose product fits the file", value["shape"].dump()));
      return std::nullopt;
    }
    const spec::Json& offsets = value["data_offsets"];
    const auto begin = offsets.is_array() && offsets.size() == 2 ? natural(offsets[0], data_bytes_) : std::nullopt;
    const auto end = begin ? natural(offsets[1], data_bytes_) : std::nullopt;
    if (!end || *end < *begin) {
      add(name, fmt::format("data_offsets {}: must be [begin, end] within the {} bytes of data", offsets.dump(),
                            data_bytes_));
      return std::nullopt;
    }
    entry.begin = *begin;
    entry.end = *end;
    if (*end - *begin != *bytes) {
      add(name, fmt::format("data_offsets {} hold {} bytes; shape {} of {} takes {}", offsets.dump(), *end - *begin,
                            value["shape"].dump(), dtype->name, *bytes));
      return std::nullopt;
    }
    return entry;
  }

  /// Fills the shape; returns the bytes that it takes, nothing when it is none or takes more than the file has.
  std::optional<std::uint64_t> read_shape(const spec::Json& shape, Entry& entry) const {
    if (!shape.is_array()) return std::nullopt;
    std::uint64_t elements = 1;
    bool empty = false;
    for (const spec::Json& value : shape) {
      const auto size = natural(value, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
      if (!size) return std::nullopt;
      entry.shape.push_back(static_cast<std::int64_t>(*size));
      if (*size == 0) {
        empty = true;
      } else if (elements > data_bytes_ / *size) {
        return std::nullopt;
      } else {
        elements *= *size;
      }
    }
    return empty ? 0 : elements * entry.dtype->bytes;
  }

  /// A file that was cut off is said once, not for every tensor that is gone.
  void check_length(const spec::Json& header) const {
    std::uint64_t described = 0;
    for (const auto& entry : header) {
      if (!entry.is_object() || !entry.contains("data_offsets")) continue;
      const spec::Json& offsets = entry["data_offsets"];
      if (offsets.is_array() && offsets.size() == 2 && offsets[1].is_number_unsigned())
        described = std::max(described, offsets[1].get<std::uint64_t>());
    }
    if (described > data_bytes_) {
      throw spec::SpecError(file_, fmt::format("is cut off: its header describes {} bytes of data, {} are there",
                                               described, data_bytes_));
    }
  }

  /// The tensors must follow one another from the first byte of data to the last.
  void check_cover(const std::vector<Entry>& entries) {
    std::uint64_t covered = 0;
    for (const Entry& entry : entries) {
      if (entry.begin < covered) {
        add(entry.name,
            fmt::format("begins at byte {} of the data, inside another tensor that ends at {}", entry.begin, covered));
      } else if (entry.begin > covered) {
        add(entry.name, fmt::format("begins at byte {} of the data; bytes {} to {} belong to no tensor", entry.begin,
                                    covered, entry.begin - 1));
      }
      covered = std::max(covered, entry.end);
    }
    if (covered != data_bytes_) {
      problems_.add(file_, fmt::format("has {} bytes of data; its tensors take {}", data_bytes_, covered));
    }
  }

  const std::string& file_;
  std::uint64_t data_bytes_;
  spec::Problems problems_;
};

}  // namespace

void write_safetensors(const std::string& file, const std::map<std::string, at::Tensor>& tensors) {
  if (std::filesystem::exists(file) && !std::filesystem::is_regular_file(file)) {
    errno = EINVAL;  // a device, a pipe or a folder must not be replaced
    throw_errno(fmt::format("cannot write {}, which is no ordinary file", file));
  }
  spec::OrderedJson header = spec::OrderedJson::object();
  std::vector<at::Tensor> data;
  std::uint64_t offset = 0;
  const auto put = [&](at::ScalarType type) {
    for (const auto& [name, tensor] : tensors) {
      if ((tensor.scalar_type() == at::kDouble) != (type == at::kDouble)) continue;
      data.push_back(tensor.detach().to(at::kCPU, type).contiguous());
      const std::uint64_t end = offset + data.back().nbytes();
      header[name] = {{"dtype", type == at::kDouble ? "F64" : "F32"},
                      {"shape", tensor.sizes().vec()},
                      {"data_offsets", {offset, end}}};
      offset = end;
    }
  };
  put(at::kDouble);  // first, so that everything is aligned
  put(at::kFloat);
  std::string text = header.dump();
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');

  const std::string temporary = file + ".tmp";
  {
    errno = 0;
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    const std::uint64_t length = text.size();
    out.write(reinterpret_cast<const char*>(&length), kLengthBytes);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    for (const at::Tensor& tensor : data) {
      out.write(static_cast<const char*>(tensor.const_data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
    }
    out.close();
    if (!out) throw_errno(fmt::format("cannot write {}", file));
  }
  std::filesystem::rename(temporary, file);
}

std::map<std::string, at::Tensor> read_safetensors(const std::string& file) {
  const std::string bytes = read_file(file);
  std::uint64_t length = 0;
  if (bytes.size() < kLengthBytes) throw spec::SpecError(file, "is shorter than the 8 bytes of a header's length");
  std::memcpy(&length, bytes.data(), kLengthBytes);
  const std::uint64_t rest = bytes.size() - kLengthBytes;
  if (length > rest || length > kMaxHeaderBytes) {
    throw spec::SpecError(file,
                          fmt::format("is no safetensors file, or cut off: its first 8 bytes say that a header of "
                                      "{} bytes follows; {} do, and at most {} are allowed",
                                      length, rest, kMaxHeaderBytes));
  }
  const std::string_view header(bytes.data() + kLengthBytes, static_cast<std::size_t>(length));
  const char* data = header.data() + header.size();
  std::map<std::string, at::Tensor> tensors;
  for (const Entry& entry : HeaderReader(file, rest - length).read(spec::parse_json(header, file))) {
    at::Tensor tensor = at::empty(entry.shape, entry.dtype->type);
    if (tensor.numel() > 0) std::memcpy(tensor.mutable_data_ptr(), data + entry.begin, tensor.nbytes());
    tensors.emplace(entry.name, tensor);
  }
  return tensors;
}

}  // namespace plait::nn
