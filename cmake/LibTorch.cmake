# LibTorch as the target plait_torch, when PLAIT_TORCH and the machine allow; sets PLAIT_HAVE_TORCH and PLAIT_TORCH_WHY.
# Looked for in PLAIT_TORCH_ROOT, the `torch` folder of any PyTorch 2.11: by default what cmake/fetch_torch.sh makes.
set(PLAIT_TORCH_ROOT "${CMAKE_SOURCE_DIR}/.deps/site/torch" CACHE PATH "The torch folder of a PyTorch 2.11 installation")
set(PLAIT_HAVE_TORCH OFF)
if(NOT PLAIT_TORCH MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "PLAIT_TORCH is \"${PLAIT_TORCH}\"; it takes AUTO, ON or OFF")
elseif(PLAIT_TORCH STREQUAL "OFF")
  set(PLAIT_TORCH_WHY "off with PLAIT_TORCH=OFF")
  return()
endif()

set(version "none")
set(version_header "${PLAIT_TORCH_ROOT}/include/torch/headeronly/version.h")
if(EXISTS "${version_header}")
  file(READ "${version_header}" text)
  string(REGEX MATCH "\"([0-9]+\\.[0-9]+\\.[0-9]+)[^\"]*\"" version "${text}")
  set(version "${CMAKE_MATCH_1}")
endif()
if(NOT version MATCHES "^2\\.11\\.")
  set(PLAIT_TORCH_WHY "LibTorch 2.11 is not in ${PLAIT_TORCH_ROOT} (found: ${version}); cmake/fetch_torch.sh fetches it")
  if(PLAIT_TORCH STREQUAL "ON")
    message(FATAL_ERROR "${PLAIT_TORCH_WHY}")
  endif()
  return()
endif()
if(PLAIT_SANITIZE)
  set(PLAIT_TORCH_WHY "not in builds with sanitizers: LibTorch's own libraries are not instrumented")
  return()
endif()

set(PLAIT_HAVE_TORCH ON)
set(PLAIT_TORCH_WHY "${version} from ${PLAIT_TORCH_ROOT}")
# Made by hand rather than with find_package(Torch), which asks for CUDA and changes global flags.
add_library(plait_torch INTERFACE)
target_include_directories(plait_torch SYSTEM INTERFACE ${PLAIT_TORCH_ROOT}/include
                                                        ${PLAIT_TORCH_ROOT}/include/torch/csrc/api/include)
# Header-only: LibTorch brings headers of a newer {fmt} than the system's library.
target_compile_definitions(plait_torch INTERFACE FMT_HEADER_ONLY=1)
target_link_libraries(plait_torch INTERFACE ${PLAIT_TORCH_ROOT}/lib/libtorch_cpu.so ${PLAIT_TORCH_ROOT}/lib/libc10.so)

# <torch/torch.h> takes about 20 s to parse: once, for all that include it.
add_library(plait_torch_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/torch_pch.cpp)
target_link_libraries(plait_torch_pch PUBLIC plait_flags plait_torch)
target_precompile_headers(plait_torch_pch PRIVATE <torch/torch.h>)
# All of it ends in a shared library, and a precompiled header serves only sources with its own flags: tests too.
target_compile_options(plait_torch INTERFACE -fPIC)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(plait_torch INTERFACE -fpch-preprocess)  # lets ccache see the precompiled header
endif()

# plait_use_torch(TARGET): the target's own sources include <torch/torch.h>.
function(plait_use_torch target)
  target_link_libraries(${target} PUBLIC plait_torch)
  target_precompile_headers(${target} REUSE_FROM plait_torch_pch)
endfunction()
