#include "kernels/sequence/sequence.h"
