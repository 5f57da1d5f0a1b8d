#pragma once

#include "src/quality/prior.h"

namespace plait::app {

/// Coefficients and errors of the quality prior, fitted from the tables that the program carries.
inline quality::FitReport prior_report() { return quality::QualityPrior::fit().report(); }

}  // namespace plait::app
