#include "imapd/reply.h"

#include <fmt/format.h>

#include <ctime>

#include "lib-base/log.h"

namespace culver {
namespace {

std::string_view response_code(ErrorCode code, std::string_view not_found) {
    switch (code) {
        case ErrorCode::NotFound: return not_found;
        case ErrorCode::AlreadyExists: return "ALREADYEXISTS";
        case ErrorCode::InvalidArgument: return "CANNOT";
        case ErrorCode::Unsupported: return {};  // RFC 5530 has no word for "this server does not"
        case ErrorCode::NoPermission: return "NOPERM";
        case ErrorCode::OverQuota: return "OVERQUOTA";
        case ErrorCode::NoSpace: return "OVERQUOTA";
        case ErrorCode::Limit: return "LIMIT";
        case ErrorCode::InUse: return "INUSE";
        case ErrorCode::Timeout: return "INUSE";
        case ErrorCode::Unavailable: return "UNAVAILABLE";
        case ErrorCode::Internal:
        case ErrorCode::Io:
        case ErrorCode::Corrupt: return "SERVERBUG";
    }
    return "SERVERBUG";
}

std::string default_text(ErrorCode code) {
    switch (code) {
        case ErrorCode::NotFound: return "Mailbox doesn't exist";
        case ErrorCode::AlreadyExists: return "Mailbox already exists";
        case ErrorCode::NoPermission: return "Permission denied";
        case ErrorCode::OverQuota: return "Quota exceeded (mailbox for user is full)";
        case ErrorCode::NoSpace: return "Not enough disk space";
        case ErrorCode::InUse:
        case ErrorCode::Timeout: return "Timeout while waiting for lock";
        default: break;
    }
    // The time leads the admin to the line in the log.
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &local);
    return fmt::format("Internal error occurred. Refer to server log for more information. [{}]", stamp);
}

// What a client did and can undo by itself is not the admin's business.
bool is_clients_business(ErrorCode code) {
    return code == ErrorCode::NotFound || code == ErrorCode::AlreadyExists || code == ErrorCode::InvalidArgument ||
           code == ErrorCode::Unsupported || code == ErrorCode::OverQuota || code == ErrorCode::Limit;
}

}  // namespace

Reply Reply::from(const Error& error, std::string_view not_found) {
    if (!error.detail.empty() && (error.client.empty() || !is_clients_business(error.code))) log_error(error.detail);
    return no(std::string(response_code(error.code, not_found)),
              error.client.empty() ? default_text(error.code) : error.client);
}

}  // namespace culver
