#pragma once

/// On a function: compiled for the vector units of three generations, among which the loader picks. What it calls must
/// be inlined.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define PLAIT_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PLAIT_VECTOR_CLONES
#endif
#define PLAIT_INLINE __attribute__((always_inline)) inline
