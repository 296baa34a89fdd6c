// SessionJob: all that the dispatcher tells a worker about a session; travels with the client's socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib-base/result.h"
#include "lib-service/login-handover.h"

namespace culver {

struct SessionJob {
    std::uint64_t id = 0;  // the dispatcher's number for the session; comes back with its end
    LoginHandover login;   // ticket unused: it has been picked up
    std::string username, home, uid, gid;
    std::vector<std::pair<std::string, std::string>> overrides;  // settings from the userdb, e.g. mail_location

    std::string serialize() const;
    static Result<SessionJob> deserialize(std::string_view bytes);
};

// What a worker says to its dispatcher: a session is over.
std::string session_ended_message(std::uint64_t id);
// 0 if `message` is none.
std::uint64_t parse_session_ended(std::string_view message);

// What a worker says to a dispatcher that has taken it over: the sessions that are there, in as many messages as that
// takes, at least one.
struct ReportedSession {
    std::uint64_t id = 0;
    std::string username, remote_ip;
};
std::vector<std::string> session_report_messages(const std::vector<ReportedSession>& sessions);
// Nothing if `message` is none, or does not parse.
std::optional<std::vector<ReportedSession>> parse_session_report(std::string_view message);

}  // namespace culver
