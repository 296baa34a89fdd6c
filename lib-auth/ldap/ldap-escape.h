// What a client sent, on its way into a filter or a DN (security rule M6).
//
// Both grammars know `\` and two hex digits for any octet, so one set of escaped octets serves both: all that means
// something to a filter (RFC 4515 §3: NUL ( ) * \) or to a DN (RFC 4514 §2.4: " + , ; < > = # \ and blanks), controls,
// and everything beyond ASCII. A DN inside of a filter is escaped twice.
#pragma once

#include <string>
#include <string_view>

#include "lib-auth/auth-request.h"
#include "lib-base/result.h"

namespace culver {

// A value as it may stand in a filter or a DN.
std::string ldap_escape(std::string_view value);

// A template of the configuration with its %variables for this request, each escaped for where it stands. In a filter
// a value behind a second `=`, as in (memberOf=cn=%u,ou=groups), is part of a DN. InvalidArgument: a variable that
// nobody knows.
Result<std::string> expand_ldap_filter(std::string_view text, const AuthRequest& request);
Result<std::string> expand_ldap_dn(std::string_view text, const AuthRequest& request);

}  // namespace culver
