// A library of another version of plait, whose entry must not be called.
#include <cstdlib>

extern "C" const char* plait_proxy_version() { return "0.0.1"; }
extern "C" const void* plait_proxy_backend() { std::abort(); }
