#include "src/nn/population.h"
