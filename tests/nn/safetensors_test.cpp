#include "src/nn/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "src/nn/checkpoint.h"
#include "src/spec/error.h"
#include "tests/nn/tiny_model.h"

namespace plait::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Safetensors : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  std::string file(const std::string& name = "model.safetensors") const { return folder_ / name; }

  /// Writes the parts of a file as they stand; `length` below 0 is that of the header.
  std::string write(const std::string& header, const std::string& data, std::int64_t length = -1) const {
    std::ofstream out(file(), std::ios::binary);
    const std::uint64_t bytes = length < 0 ? header.size() : static_cast<std::uint64_t>(length);
    out.write(reinterpret_cast<const char*>(&bytes), 8);
    out << header << data;
    return file();
  }

  /// What is wrong with the file, or nothing.
  std::string complaint() const {
    try {
      nn::read_safetensors(file());
    } catch (const spec::SpecError& error) {
      return error.what();
    }
    return "";
  }

  std::string complaint(const std::string& header, const std::string& data, std::int64_t length = -1) const {
    write(header, data, length);
    return complaint();
  }

  fs::path folder_ = fs::temp_directory_path() / ("plait_safetensors_" + std::to_string(::getpid()));
};

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST_F(Safetensors, ReadWhatWasWritten) {
  const std::map<std::string, at::Tensor> tensors{
      {"a", at::randn({3, 5})},           {"b.c", at::randn({2, 3, 4}, at::kDouble).transpose(0, 2)},  // not contiguous
      {"empty", at::empty({0, 4})},       {"quoted \"name\" \xc3\xa9", at::randn({7})},
      {"scalar", at::scalar_tensor(2.5)},
  };
  nn::write_safetensors(file(), tensors);
  const auto read = nn::read_safetensors(file());
  ASSERT_EQ(read.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(read.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(read.at(name), tensor)) << name;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "the temporary file is gone";
}

TEST_F(Safetensors, WriteLowPrecisionAsSingle) {
  const at::Tensor tensor = at::randn({4}).to(at::kBFloat16);
  nn::write_safetensors(file(), {{"a", tensor}});
  const at::Tensor read = nn::read_safetensors(file()).at("a");
  EXPECT_EQ(read.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(read, tensor.to(at::kFloat)));
}

TEST_F(Safetensors, AreWrittenAsTheFormatSays) {
  nn::write_safetensors(file(), {{"w", at::tensor({1.0F, -2.0F}).view({2, 1})}});
  std::ifstream in(file(), std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  const std::string header = R"({"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}})";
  const std::size_t padded = (header.size() + 7) / 8 * 8;
  EXPECT_EQ(bytes, bytes_of<std::uint64_t>({padded}) + header + std::string(padded - header.size(), ' ') +
                       bytes_of<float>({1, -2}));
}

TEST_F(Safetensors, ReadEveryFloatingDType) {
  // 1.5 and -2 in F64, F32, F16 and BF16, out of order, with metadata.
  write(R"({"__metadata__":{"format":"pt"},
            "bf16":{"dtype":"BF16","shape":[2],"data_offsets":[28,32]},
            "f16":{"dtype":"F16","shape":[2],"data_offsets":[24,28]},
            "f32":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},
            "f64":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}})",
        bytes_of<double>({1.5, -2}) + bytes_of<float>({1.5, -2}) + bytes_of<std::uint16_t>({0x3e00, 0xc000}) +
            bytes_of<std::uint16_t>({0x3fc0, 0xc000}));
  const auto read = nn::read_safetensors(file());
  const std::map<std::string, at::ScalarType> types{
      {"f64", at::kDouble}, {"f32", at::kFloat}, {"f16", at::kHalf}, {"bf16", at::kBFloat16}};
  ASSERT_EQ(read.size(), types.size());
  for (const auto& [name, type] : types) {
    EXPECT_EQ(read.at(name).scalar_type(), type) << name;
    EXPECT_TRUE(at::equal(read.at(name).to(at::kDouble), at::tensor({1.5, -2.0}, at::kDouble))) << name;
  }
}

TEST_F(Safetensors, OfAMissingFileOrFolderAreASystemError) {
  EXPECT_THROW(nn::read_safetensors(file("none")), std::system_error);
  EXPECT_THROW(nn::write_safetensors(folder_ / "none" / "file", {}), std::system_error);
}

TEST_F(Safetensors, RefuseAHeaderThatIsCutOff) {
  std::ofstream(file()) << "1234";
  EXPECT_THAT(complaint(), AllOf(HasSubstr(file()), HasSubstr("shorter than the 8 bytes")));
  EXPECT_THAT(complaint("{}", "", 3), AllOf(HasSubstr(file()), HasSubstr("header of 3 bytes follows; 2 do")));
  EXPECT_THAT(complaint("{}", "", std::numeric_limits<std::int64_t>::max()), HasSubstr("2 do, and at most"));
  write("{}", "");
  EXPECT_TRUE(nn::read_safetensors(file()).empty());
}

TEST_F(Safetensors, RefuseAHeaderThatIsNoJsonObject) {
  EXPECT_THAT(complaint("{\"a\":", ""), HasSubstr(file()));
  EXPECT_THAT(complaint("[]", ""), HasSubstr("must be a JSON object"));
  EXPECT_THAT(complaint(R"({"__metadata__":{"a":1}})", ""), HasSubstr("object of strings"));
  const std::string twice = R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                            R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})";
  EXPECT_THAT(complaint(twice, "1234"), HasSubstr("a"));
  EXPECT_NE(complaint(twice, "1234"), "");
}

TEST_F(Safetensors, RefuseATensorThatIsNotDescribed) {
  for (const std::string entry :
       {"1", "{}", R"({"dtype":"F32","shape":[1]})", R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":0})"}) {
    EXPECT_THAT(complaint("{\"w\":" + entry + "}", "1234"),
                AllOf(HasSubstr("tensor \"w\""), HasSubstr("dtype, shape and data_offsets")))
        << entry;
  }
  EXPECT_THAT(complaint(R"({"w":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", "12345678"),
              AllOf(HasSubstr("tensor \"w\""), HasSubstr("\"I64\""), HasSubstr("F64, F32, F16 and BF16")));
}

TEST_F(Safetensors, RefuseAShapeThatIsNone) {
  for (const std::string shape : {"1", "[-1]", "[1.5]", "[\"1\"]", "[4294967296,4294967296]", "[9223372036854775807,2]",
                                  "[99999999999999999999]"}) {
    EXPECT_THAT(complaint(R"({"w":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":[0,4]}})", "1234"),
                AllOf(HasSubstr("tensor \"w\""), HasSubstr("shape")))
        << shape;
  }
}

TEST_F(Safetensors, RefuseOffsetsOutsideTheData) {
  for (const std::string offsets : {"[4,0]", "[-4,0]", "[0]", "[0,4,8]", "[0,4.0]", "0"}) {
    EXPECT_THAT(complaint(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":)" + offsets + "}}", "1234"),
                AllOf(HasSubstr("tensor \"w\""), HasSubstr("data_offsets " + offsets), HasSubstr("4 bytes of data")))
        << offsets;
  }
}

TEST_F(Safetensors, SayOnceThatAFileIsCutOff) {
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                             R"("b":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}})";
  EXPECT_EQ(complaint(header, "123456789012345"),
            file() + ": is cut off: its header describes 16 bytes of data, 15 are there");
}

TEST_F(Safetensors, OfSomethingThatIsNoFileAreASystemErrorAndLeaveItAlone) {
  EXPECT_THROW(nn::read_safetensors(folder_), std::system_error);
  EXPECT_THROW(nn::write_safetensors("/dev/null", {}), std::system_error);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(Safetensors, RefuseARangeThatDoesNotFitTheShape) {
  EXPECT_THAT(complaint(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234"),
              AllOf(HasSubstr("tensor \"w\""), HasSubstr("hold 4 bytes"), HasSubstr("takes 8")));
  EXPECT_THAT(complaint(R"({"w":{"dtype":"F32","shape":[0],"data_offsets":[0,4]}})", "1234"), HasSubstr("takes 0"));
}

TEST_F(Safetensors, RefuseRangesThatOverlapOrLeaveGaps) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
           R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}";
  };
  EXPECT_EQ(complaint(two("[4,8]", "[0,4]"), "12345678"), "");
  EXPECT_THAT(complaint(two("[0,4]", "[2,6]"), "123456"),
              AllOf(HasSubstr("tensor \"b\""), HasSubstr("inside another")));
  EXPECT_THAT(complaint(two("[0,4]", "[0,4]"), "1234"), HasSubstr("inside another"));
  EXPECT_THAT(complaint(two("[0,4]", "[6,10]"), "1234567890"),
              AllOf(HasSubstr("tensor \"b\""), HasSubstr("bytes 4 to 5 belong to no tensor")));
  EXPECT_THAT(complaint(two("[0,4]", "[4,8]"), "123456789"), AllOf(HasSubstr(file()), HasSubstr("9 bytes of data")));
}

TEST_F(Safetensors, ReportEveryTensorThatIsWrong) {
  const std::string message = complaint(R"({"a":1,"b":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})", "1234");
  EXPECT_THAT(message, AllOf(HasSubstr("tensor \"a\""), HasSubstr("tensor \"b\"")));
}

class Checkpoint : public Safetensors {
 protected:
  static spec::ModelSpec model(bool tied = false) {
    spec::ModelSpec model = tiny_model(spec::GatedDeltaNet{2, 2, 4, 8});
    model.tied_embeddings = tied;
    return model;
  }
};

TEST_F(Checkpoint, CarriesTheWeightsOfAMemberToAnotherPopulation) {
  const std::vector<spec::ModelSpec> models{model(), tiny_model(spec::Hgrn{16}), model()};
  nn::Population population(models, {1, 2, 3}), other(models, {4, 5, 6});
  const auto before = other.weights(0);
  nn::save_checkpoint(population, 2, file());
  nn::load_checkpoint(other, 2, file());
  for (const auto& [name, value] : population.weights(2)) EXPECT_TRUE(at::equal(other.weights(2).at(name), value));
  for (const auto& [name, value] : before) EXPECT_TRUE(at::equal(other.weights(0).at(name), value));
}

TEST_F(Checkpoint, ListsWhatIsMissingUnknownAndOfAnotherShape) {
  nn::Population population({model()}, {1});
  nn::save_checkpoint(population, 0, file());
  auto tensors = nn::read_safetensors(file());
  tensors.erase("model.norm.weight");
  tensors["model.extra"] = at::zeros({1});
  tensors["lm_head.weight"] = at::zeros({2, 3});
  nn::write_safetensors(file(), tensors);
  try {
    nn::load_checkpoint(population, 0, file());
    FAIL();
  } catch (const spec::SpecError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("model.norm.weight"), HasSubstr("model.extra"), HasSubstr("lm_head.weight")));
  }
}

TEST_F(Checkpoint, TakesTheCopyOfTiedEmbeddingsButNoOther) {
  nn::Population population({model(true)}, {1});
  nn::save_checkpoint(population, 0, file());
  auto tensors = nn::read_safetensors(file());
  EXPECT_FALSE(tensors.contains("lm_head.weight"));
  tensors["lm_head.weight"] = tensors.at("model.embeddings.weight");
  nn::write_safetensors(file(), tensors);
  EXPECT_NO_THROW(nn::load_checkpoint(population, 0, file()));
  tensors["lm_head.weight"] = tensors.at("model.embeddings.weight") + 1;
  nn::write_safetensors(file(), tensors);
  EXPECT_THROW(nn::load_checkpoint(population, 0, file()), spec::SpecError);
}

TEST_F(Checkpoint, NamesAMamba2ModelAsTheLibraryDoes) {
  const spec::Mamba2 mamba{.heads = 4, .head_dim = 8, .state_dim = 4};
  const spec::ModelSpec pure = tiny_model(mamba, spec::None{});
  nn::Population population({pure}, {1});
  nn::save_checkpoint(population, 0, file());
  const auto tensors = nn::read_safetensors(file());
  for (const std::string name : {"backbone.embeddings.weight", "backbone.layers.1.norm.weight",
                                 "backbone.layers.1.mixer.conv1d.bias", "backbone.layers.0.mixer.norm.weight",
                                 "backbone.layers.0.mixer.A_log", "backbone.norm_f.weight", "lm_head.weight"}) {
    EXPECT_TRUE(tensors.contains(name)) << name;
  }
  EXPECT_EQ(tensors.size(), population.weights(0).size());
  EXPECT_NO_THROW(nn::load_checkpoint(population, 0, file()));
  // With channel mixers the library has no such model: names stay.
  EXPECT_EQ(nn::library_name(tiny_model(mamba), "model.layers.0.attn.A_log"), "model.layers.0.attn.A_log");
}

}  // namespace
}  // namespace plait::testing
