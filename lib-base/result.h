// Result: how a failure of the world (disk, peer, configuration) travels.
//
// An expected outcome is an ordinary value; a failure of the world is a Result<T>; a bug is an ASSERT.
// Nothing is thrown across a library's border (docs/design.md, "Errors").
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace culver {

// What kind of failure it was; each protocol maps these to its own reply codes in one place.
enum class ErrorCode {
    Internal,      // a bug or something nobody expected
    Io,            // EIO, EMFILE, a short read: the machine's fault
    NoSpace,       // ENOSPC, EDQUOT
    OverQuota,     // the user's own quota
    NoPermission,  // EACCES, EPERM, EROFS
    NotFound,      // mailbox, user, file
    AlreadyExists,
    InvalidArgument,  // the caller's input cannot be meant
    Limit,            // a documented limit was reached
    InUse,            // lock held by somebody else for too long
    Unavailable,      // the peer (authd, a database) does not answer: try again later
    Timeout,
    Corrupt,  // data on disk or from a peer does not parse
    Unsupported,
};

// The name of a code as it appears in logs, e.g. "no-space". Static storage.
std::string_view error_code_name(ErrorCode code);

struct Error {
    ErrorCode code = ErrorCode::Internal;
    std::string client;  // safe to show to the client; no paths, no secrets; may be empty
    std::string detail;  // for the log: what, whose, and what to do

    // An error whose client text is empty.
    static Error of(ErrorCode code, std::string detail) { return {code, {}, std::move(detail)}; }
    // From errno: `what` is the failed call with its argument, e.g. "open(/x/y)". Picks the code from `error_number`.
    static Error from_errno(int error_number, std::string_view what);
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }
inline std::unexpected<Error> fail(ErrorCode code, std::string detail) {
    return fail(Error::of(code, std::move(detail)));
}
// From the current errno.
std::unexpected<Error> fail_errno(std::string_view what);

namespace detail {
template <typename T>
T take(std::expected<T, Error>& result) {
    return std::move(*result);
}
inline void take(std::expected<void, Error>&) {}
}  // namespace detail

// TRY(expression): the value of a Result, or return its Error from the enclosing function.
#define TRY(expression)                                                                            \
    ({                                                                                             \
        auto try_result_ = (expression);                                                           \
        if (!try_result_) return std::unexpected<::culver::Error>(std::move(try_result_).error()); \
        ::culver::detail::take(try_result_);                                                       \
    })

}  // namespace culver
