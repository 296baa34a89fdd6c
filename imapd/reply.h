// Reply: what a command's tagged response will say. The session adds the tag and the "(0.001 + 0.000 secs)." suffix.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "lib-base/result.h"

namespace culver {

struct Reply {
    enum class Kind {
        Ok,
        No,
        Bad,
        Invalid,  // BAD "Error in IMAP command NAME: text"
        Close,    // nothing is said any more; the session ends (the command has said why)
        Wait,     // the command goes on in Command::resume, when the client sends something or wake() was called
    };
    Kind kind = Kind::Ok;
    std::string code;                      // response code without its brackets, e.g. "COPYUID 7 1:2 5:6"; may be empty
    std::string text;                      // a final period moves behind the timing suffix
    std::chrono::milliseconds at_most{0};  // Wait only

    static Reply ok(std::string text) { return {Kind::Ok, {}, std::move(text)}; }
    static Reply ok(std::string code, std::string text) { return {Kind::Ok, std::move(code), std::move(text)}; }
    static Reply no(std::string text) { return {Kind::No, {}, std::move(text)}; }
    static Reply no(std::string code, std::string text) { return {Kind::No, std::move(code), std::move(text)}; }
    static Reply bad(std::string text) { return {Kind::Bad, {}, std::move(text)}; }
    // The arguments cannot be meant (found by run, after parse was content): "Invalid messageset" and the like.
    static Reply invalid(std::string text) { return {Kind::Invalid, {}, std::move(text)}; }
    static Reply close() { return {Kind::Close, {}, {}}; }
    // `at_most`: resume is called then even if nothing happens.
    static Reply wait(std::chrono::milliseconds at_most) { return {Kind::Wait, {}, {}, at_most}; }

    // The response code (RFC 5530) and client text of a failure; its detail goes to the log unless the client can do
    // something about it itself (no such mailbox, bad name). `not_found` replaces the code NONEXISTENT: SELECT says
    // nothing, APPEND and COPY say TRYCREATE.
    static Reply from(const Error& error, std::string_view not_found = "NONEXISTENT");
};

// The value of a Result, or return its Error as the command's reply.
#define TRY_REPLY(expression)                                                \
    ({                                                                       \
        auto try_result_ = (expression);                                     \
        if (!try_result_) return ::culver::Reply::from(try_result_.error()); \
        ::culver::detail::take(try_result_);                                 \
    })

}  // namespace culver
