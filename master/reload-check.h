// What would go wrong if a running server took up other settings: found before anything is changed.
#pragma once

#include <string>
#include <vector>

#include "lib-config/load.h"
#include "lib-config/settings.h"

namespace culver {

// A line per thing that keeps one of these services from starting: unknown users and groups, a program or a chroot that
// is not there, addresses that do not resolve. `program_directory`: of executables that are not absolute.
std::vector<std::string> service_problems(const Settings& settings, const std::vector<std::string>& services,
                                          const std::string& program_directory);

// Whether check_settings found an error in the configuration that was not there before. Errors inside of other files
// (a line of a passwd-file) are there whichever configuration is in force.
bool has_new_errors(const std::vector<Diagnostic>& now, const std::vector<Diagnostic>& before);

}  // namespace culver
