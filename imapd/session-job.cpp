#include "imapd/session-job.h"

#include "lib-base/text.h"

namespace culver {
namespace {

constexpr std::string_view kReport = "sessions ";
constexpr std::size_t kReportSize = 32 << 10;  // a message is at most one session longer

void put(std::string& out, std::string_view field) {
    out.append(std::to_string(field.size())).append(":").append(field);
}

// Keeps its first error, like every reader here: afterwards all fields are empty.
class Fields {
public:
    explicit Fields(std::string_view rest) : rest_(rest) {}
    std::string_view next() {
        const auto colon = rest_.find(':');
        const auto size = colon == std::string_view::npos ? std::nullopt : parse_uint32(rest_.substr(0, colon));
        if (!size || *size > rest_.size() - colon - 1) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const std::string_view field = rest_.substr(colon + 1, *size);
        rest_.remove_prefix(colon + 1 + *size);
        return field;
    }
    bool ok() const { return ok_; }
    bool more() const { return ok_ && !rest_.empty(); }

private:
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace

std::string SessionJob::serialize() const {
    std::string out;
    put(out, std::to_string(id));
    put(out, login.serialize());
    for (const std::string* field : {&username, &home, &uid, &gid}) put(out, *field);
    for (const auto& [name, value] : overrides) {
        put(out, name);
        put(out, value);
    }
    return out;
}

Result<SessionJob> SessionJob::deserialize(std::string_view bytes) {
    Fields in(bytes);
    SessionJob job;
    job.id = parse_uint64(in.next()).value_or(0);
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
            put(messages.back(), field);
    }
    return messages;
}

std::optional<std::vector<ReportedSession>> parse_session_report(std::string_view message) {
    if (!message.starts_with(kReport)) return std::nullopt;
    Fields in(message.substr(kReport.size()));
    std::vector<ReportedSession> sessions;
    while (in.more()) {
        const std::uint64_t id = parse_uint64(in.next()).value_or(0);
        std::string username(in.next());
        sessions.push_back({id, std::move(username), std::string(in.next())});
        if (id == 0) return std::nullopt;
    }
    if (!in.ok()) return std::nullopt;
    return sessions;
}

}  // namespace culver
