// OpenSSL's error queue as text.
#pragma once

#include <string>

namespace culver {

// The oldest error of this thread's queue, which is emptied: "error:0A000126:SSL routines::unexpected eof while
// reading".
std::string tls_error_text();

}  // namespace culver
