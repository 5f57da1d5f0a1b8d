# The CUDA kernels as the library plait_cuda, when PLAIT_CUDA and the machine allow; sets PLAIT_HAVE_CUDA and
# PLAIT_CUDA_WHY. Needs the toolkit to build and a driver only to run: the runtime is linked in, and without a driver the
# library loads and says so.
set(PLAIT_HAVE_CUDA OFF)
if(NOT PLAIT_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "PLAIT_CUDA is \"${PLAIT_CUDA}\"; it takes AUTO, ON or OFF")
elseif(PLAIT_CUDA STREQUAL "OFF")
  set(PLAIT_CUDA_WHY "off with PLAIT_CUDA=OFF")
  return()
elseif(PLAIT_SANITIZE)
  set(PLAIT_CUDA_WHY "not in builds with sanitizers")
  return()
endif()

find_program(PLAIT_NVCC nvcc HINTS /usr/local/cuda/bin)
if(PLAIT_NVCC)
  execute_process(COMMAND ${PLAIT_NVCC} --version OUTPUT_VARIABLE text ERROR_QUIET)
  string(REGEX MATCH "release ([0-9]+\\.[0-9]+)" version "${text}")
  set(version "${CMAKE_MATCH_1}")
endif()
if(NOT PLAIT_NVCC OR version VERSION_LESS 12.0)
  set(PLAIT_CUDA_WHY "CUDA's compiler nvcc 12.0 or newer was not found")
  if(PLAIT_CUDA STREQUAL "ON")
    message(FATAL_ERROR "${PLAIT_CUDA_WHY}; put it on the PATH or give -DPLAIT_NVCC=")
  endif()
  return()
endif()

set(CMAKE_CUDA_COMPILER ${PLAIT_NVCC})
set(CMAKE_CUDA_ARCHITECTURES OFF)  # given below: Hopper's own instructions, and whatever is as new as Ampere
if(CCACHE)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know what nvcc 13 can do
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
find_package(CUDAToolkit REQUIRED)
set(PLAIT_HAVE_CUDA ON)
set(PLAIT_CUDA_WHY "kernels for NVIDIA GPUs, nvcc ${version}; off with -DPLAIT_CUDA=OFF")

add_library(plait_cuda SHARED
  kernels/gated_delta_rule/entry.cu
  kernels/gated_delta_rule/forward.cu kernels/gated_delta_rule/forward_fp32.cu
  kernels/gated_delta_rule/backward.cu kernels/gated_delta_rule/backward_fp32.cu
  kernels/linear_attention/entry.cu
  kernels/linear_attention/forward.cu kernels/linear_attention/forward_fp32.cu
  kernels/linear_attention/backward.cu kernels/linear_attention/backward_fp32.cu
  kernels/cross_entropy/cross_entropy.cu kernels/sequence/delta_inputs.cu kernels/sequence/swiglu.cu kernels/adamw/adamw.cu kernels/embedding/embedding.cu kernels/joined_weights/joined_weights.cu kernels/random/random.cu kernels/common/part_sums.cu kernels/sequence/norm.cu kernels/sequence/short_conv.cu)
target_include_directories(plait_cuda PUBLIC ${CMAKE_SOURCE_DIR})
set_target_properties(plait_cuda PROPERTIES CUDA_STANDARD 20 POSITION_INDEPENDENT_CODE ON CUDA_RUNTIME_LIBRARY Static)
target_compile_options(plait_cuda PRIVATE -O3 -gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_80,code=compute_80
                                          -gencode=arch=compute_90a,code=sm_90a)
target_link_options(plait_cuda PRIVATE -Wl,--exclude-libs,ALL)  # the runtime's symbols stay inside
