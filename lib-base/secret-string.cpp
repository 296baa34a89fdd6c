#include "lib-base/secret-string.h"

#include <cstring>

namespace culver {

void SecretString::explicit_bzero_string(std::string& text) { ::explicit_bzero(text.data(), text.size()); }

}  // namespace culver
