#include "kernels/mlstm/mlstm.h"
