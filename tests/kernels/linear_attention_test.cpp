#include "kernels/linear_attention/linear_attention.h"
