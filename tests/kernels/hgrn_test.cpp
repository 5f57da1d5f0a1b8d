#include "kernels/hgrn/hgrn.h"
