#include "lib-base/assert.h"

#include <cstdlib>
#include <string>

#include "lib-base/log.h"

namespace culver {

void assertion_failed(const char* expression, const char* file, int line) {
    log_line(LogLevel::Panic, std::string("assertion failed: ") + expression + " (" + file + ":" +
                                  std::to_string(line) +
                                  "). This is a bug in Culver; the process ends and is started again.");
    std::abort();
}

}  // namespace culver
