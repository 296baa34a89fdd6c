#include "lib-config/load.h"

namespace culver {

std::vector<Diagnostic> check_settings(const Settings&) { return {}; }

}  // namespace culver
