#include "imapd/session-job.h"

#include "lib-base/counted-fields.h"
#include "lib-base/text.h"

namespace culver {
namespace {

constexpr std::string_view kReport = "sessions ";
constexpr std::size_t kReportSize = 32 << 10;  // a message is at most one session longer

}  // namespace

std::string SessionJob::serialize() const {
    std::string out;
    put_field(out, id);
    put_field(out, login.serialize());
    for (const std::string* field : {&username, &home, &uid, &gid}) put_field(out, *field);
    for (const auto& [name, value] : overrides) {
        put_field(out, name);
        put_field(out, value);
    }
    return out;
}

Result<SessionJob> SessionJob::deserialize(std::string_view bytes) {
    FieldReader in(bytes);
    SessionJob job;
    job.id = in.number();
    const std::string_view login = in.next();
    for (std::string* field : {&job.username, &job.home, &job.uid, &job.gid}) *field = std::string(in.next());
    while (in.more()) {
        std::string name(in.next());
        job.overrides.emplace_back(std::move(name), in.next());
    }
    if (!in.ok() || job.id == 0)
        return fail(ErrorCode::Corrupt, "a session handed over by the dispatcher does not parse");
    job.login = TRY(LoginHandover::deserialize(login));
    return job;
}

std::string session_ended_message(std::uint64_t id) { return "ended " + std::to_string(id); }

std::uint64_t parse_session_ended(std::string_view message) {
    if (!message.starts_with("ended ")) return 0;
    return parse_uint64(message.substr(6)).value_or(0);
}

std::vector<std::string> session_report_messages(const std::vector<ReportedSession>& sessions) {
    std::vector<std::string> messages{std::string(kReport)};
    for (const ReportedSession& session : sessions) {
        if (messages.back().size() > kReportSize) messages.emplace_back(kReport);
        for (const std::string& field : {std::to_string(session.id), session.username, session.remote_ip})
            put_field(messages.back(), field);
    }
    return messages;
}

std::optional<std::vector<ReportedSession>> parse_session_report(std::string_view message) {
    if (!message.starts_with(kReport)) return std::nullopt;
    FieldReader in(message.substr(kReport.size()));
    std::vector<ReportedSession> sessions;
    while (in.more()) {
        const std::uint64_t id = in.number();
        std::string username(in.next());
        sessions.push_back({id, std::move(username), std::string(in.next())});
        if (id == 0) return std::nullopt;
    }
    if (!in.ok()) return std::nullopt;
    return sessions;
}

}  // namespace culver
