#include "kernels/momentum_delta_rule/momentum_delta_rule.h"
