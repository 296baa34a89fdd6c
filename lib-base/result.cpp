#include "lib-base/result.h"

#include <cerrno>
#include <cstring>

namespace culver {

std::string_view error_code_name(ErrorCode code) {
    switch (code) {
        case ErrorCode::Internal: return "internal";
        case ErrorCode::Io: return "io";
        case ErrorCode::NoSpace: return "no-space";
        case ErrorCode::OverQuota: return "over-quota";
        case ErrorCode::NoPermission: return "no-permission";
        case ErrorCode::NotFound: return "not-found";
        case ErrorCode::AlreadyExists: return "already-exists";
        case ErrorCode::InvalidArgument: return "invalid-argument";
        case ErrorCode::Limit: return "limit";
        case ErrorCode::InUse: return "in-use";
        case ErrorCode::Unavailable: return "unavailable";
        case ErrorCode::Timeout: return "timeout";
        case ErrorCode::Corrupt: return "corrupt";
        case ErrorCode::Unsupported: return "unsupported";
    }
    return "internal";
}

namespace {
ErrorCode code_for_errno(int error_number) {
    switch (error_number) {
        case ENOSPC:
        case EDQUOT: return ErrorCode::NoSpace;
        case EACCES:
        case EPERM:
        case EROFS: return ErrorCode::NoPermission;
        case ENOENT:
        case ENOTDIR: return ErrorCode::NotFound;
        case EEXIST: return ErrorCode::AlreadyExists;
        case ENAMETOOLONG:
        case EINVAL: return ErrorCode::InvalidArgument;
        case ECONNREFUSED:
        case EPIPE:
        case ECONNRESET:
        case EAGAIN: return ErrorCode::Unavailable;
        case ETIMEDOUT: return ErrorCode::Timeout;
        default: return ErrorCode::Io;
    }
}
}  // namespace

Error Error::from_errno(int error_number, std::string_view what) {
    char buffer[128];
    const char* text = strerror_r(error_number, buffer, sizeof buffer);
    return Error::of(code_for_errno(error_number), std::string(what) + " failed: " + text);
}

std::unexpected<Error> fail_errno(std::string_view what) { return fail(Error::from_errno(errno, what)); }

}  // namespace culver
