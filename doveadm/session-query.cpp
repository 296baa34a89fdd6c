#include "doveadm/session-query.h"

#include <sys/socket.h>

#include <cerrno>

#include "lib-base/file.h"
#include "lib-base/text.h"
#include "lib-net/socket.h"

namespace culver::doveadm {

namespace {
constexpr std::size_t kAnswerLimit = 64 << 20;

Result<std::string> read_answer(int fd, const std::string& socket_path) {
    std::string text;
    char buffer[16384];
    for (;;) {
        const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("recv(" + socket_path + ")");
        if (n == 0) return text;
        text.append(buffer, static_cast<std::size_t>(n));
        if (text.size() > kAnswerLimit) return fail(ErrorCode::Limit, socket_path + ": the answer does not end");
    }
}
}  // namespace

Result<std::vector<MailSession>> query_sessions(const std::string& socket_path) {
    const UniqueFd fd = TRY(connect_unix(socket_path, Blocking::Yes));
    const std::string text = TRY(read_answer(fd.get(), socket_path));
    return parse_sessions(text);
}

Result<std::size_t> end_sessions(const std::string& socket_path, const std::vector<MailSession>& sessions) {
    const UniqueFd fd = TRY(connect_unix(socket_path, Blocking::Yes));
    std::string numbers;
    for (const MailSession& each : sessions) numbers += each.number + "\n";
    TRY(write_all(fd.get(), numbers, socket_path));
    if (::shutdown(fd.get(), SHUT_WR) != 0) return fail_errno("shutdown(" + socket_path + ")");
    const std::string answer = TRY(read_answer(fd.get(), socket_path));
    const auto ended = parse_uint32(std::string_view(answer).substr(0, answer.find('\n')));
    if (!ended) return fail(ErrorCode::Unavailable, socket_path + ": no answer");
    return *ended;
}

std::vector<MailSession> parse_sessions(std::string_view text) {
    std::vector<MailSession> sessions;
    for (std::string_view line : split(text, '\n')) {
        const auto fields = split(line, '\t');
        if (fields.size() < 5) continue;
        sessions.push_back({tab_unescape(fields[0]), tab_unescape(fields[1]), tab_unescape(fields[2]),
                            tab_unescape(fields[3]), std::string(fields[4])});
    }
    return sessions;
}

bool matches_mask(std::string_view text, std::string_view mask) {
    std::size_t t = 0, m = 0, star = std::string_view::npos, star_text = 0;
    while (t < text.size()) {
        if (m < mask.size() && mask[m] == '*') {
            star = m++;
            star_text = t;
        } else if (m < mask.size() && (mask[m] == '?' || ascii_lower(mask[m]) == ascii_lower(text[t]))) {
            ++m;
            ++t;
        } else if (star != std::string_view::npos) {
            m = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    return mask.find_first_not_of('*', m) == std::string_view::npos;
}

Result<SessionFilter> SessionFilter::from(const std::vector<std::string>& arguments) {
    SessionFilter filter;
    for (const std::string& argument : arguments) {
        auto network = IpNetwork::parse(argument);
        if (network && !filter.network) filter.network = *network;
        else if (!network && filter.user_mask.empty()) filter.user_mask = argument;
        else return fail(ErrorCode::InvalidArgument, "Unknown parameter: " + argument);
    }
    return filter;
}

bool SessionFilter::accepts(const MailSession& session) const {
    if (!user_mask.empty() && !matches_mask(session.username, user_mask)) return false;
    if (!network) return true;
    const auto address = IpAddress::parse(session.ip);
    return address && network->contains(*address);
}

}  // namespace culver::doveadm
