# Everything here is a system package (`./dev setup` installs them); nothing is downloaded by CMake.
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
if(POLICY CMP0167)
  cmake_policy(SET CMP0167 NEW)  # Boost's own package file: CMake 3.30 and newer bring none
endif()
find_package(Boost 1.74 REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(fmt 9 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_path(STB_INCLUDE stb/stb_image_write.h REQUIRED)
find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
find_library(XXHASH_LIBRARY xxhash REQUIRED)

add_library(plait_xxhash INTERFACE)
target_include_directories(plait_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE})
target_link_libraries(plait_xxhash INTERFACE ${XXHASH_LIBRARY})

add_library(plait_stb INTERFACE)
target_include_directories(plait_stb SYSTEM INTERFACE ${STB_INCLUDE})

if(PLAIT_TESTS)
  find_package(GTest 1.12 REQUIRED)
  find_package(rapidcheck REQUIRED)
endif()
if(PLAIT_BENCH)
  find_package(benchmark 1.7 REQUIRED)
endif()
