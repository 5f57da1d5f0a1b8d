#include "src/proxy/task.h"
