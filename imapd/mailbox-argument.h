// From the mailbox name that a client sent to an open mailbox, with the replies that clients of Dovecot know.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "imapd/reply.h"
#include "imapd/session.h"

namespace culver {

// The destination of APPEND, COPY and MOVE: a name that does not exist is NO [TRYCREATE].
std::expected<std::shared_ptr<Mailbox>, Reply> open_destination(Session& session, const std::string& utf8);

// Whether the configuration calls it a \Trash mailbox; what is copied there counts as trashed in the log.
bool is_trash(const Settings& settings, const std::string& utf8);

}  // namespace culver
