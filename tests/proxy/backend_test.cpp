#include "src/proxy/backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/search/temp_dir.h"

namespace plait::proxy {
namespace {

using ::testing::HasSubstr;

std::string why(const std::filesystem::path& library) {
  try {
    load_backend(library);
  } catch (const Unavailable& error) {
    return error.what();
  }
  return "loaded";
}

TEST(BackendTest, AMissingLibrarySaysWhatToDo) {
  const search::TempDir folder;
  const std::string said = why(folder / "libplait_torch.so");
  EXPECT_THAT(said, HasSubstr("built without it"));
  EXPECT_THAT(said, HasSubstr("fetch_torch.sh"));
  EXPECT_THAT(said, Not(HasSubstr("\n")));
}

TEST(BackendTest, AFileThatIsNoLibraryIsRefused) {
  const search::TempDir folder;
  std::ofstream(folder / "libplait_torch.so") << "hello";
  EXPECT_THAT(why(folder / "libplait_torch.so"), HasSubstr("proxy trainings need LibTorch: "));
}

TEST(BackendTest, ALibraryOfSomebodyElseIsRefused) {
  EXPECT_THAT(why(PLAIT_EMPTY_LIBRARY), HasSubstr("is not a library of plait"));
}

TEST(BackendTest, ALibraryOfAnotherVersionIsRefused) {
  EXPECT_THAT(why(PLAIT_OLD_LIBRARY), HasSubstr("belongs to plait 0.0.1, and this is plait "));
}

}  // namespace
}  // namespace plait::proxy
