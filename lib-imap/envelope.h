// ENVELOPE of a message, byte for byte as Dovecot sends it. RFC 9051 §7.5.2.
#pragma once

#include <string>
#include <string_view>

namespace culver {

// Appends "(date subject from sender reply-to to cc bcc in-reply-to message-id)". `header`: the message's header.
void append_envelope(std::string& out, std::string_view header);

}  // namespace culver
