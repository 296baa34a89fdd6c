#include "lib-config/parser.h"

namespace culver::config {

bool Parser::handle_obsolete(const Line&) { return false; }

}  // namespace culver::config
