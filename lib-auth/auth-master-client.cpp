#include "lib-auth/auth-master-client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "lib-auth/master-protocol.h"
#include "lib-base/file.h"
#include "lib-base/text.h"
#include "lib-net/socket.h"

namespace culver {

namespace {
using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kTimeout{90};  // longer than any failure delay and any sane database
}  // namespace

const std::string* UserRecord::find(std::string_view key) const {
    for (const auto& [name, value] : fields)
        if (name == key) return &value;
    return nullptr;
}

struct AuthMasterClient::Impl {
    std::string path;
    UniqueFd fd{};
    std::string input{};
    std::size_t input_read = 0;
    std::uint32_t next_id = 1;

    Status open();
    Result<std::string> read_line(Clock::time_point deadline);
    Result<std::string> first_reply(std::uint32_t id, Clock::time_point deadline);
    // Sends a request and returns the first line about it; opens the connection, and once more when the one that was
    // kept turns out to be dead.
    Result<std::string> ask(const std::function<std::string(std::uint32_t id)>& make_line);
};

Status AuthMasterClient::Impl::open() {
    input.clear();
    input_read = 0;
    auto connected = connect_unix(path, Blocking::Yes);
    if (!connected) {
        Error error = connected.error();
        return fail(ErrorCode::Unavailable, error.detail);
    }
    fd = std::move(*connected);
    return write_all(fd.get(), master_protocol::kHello, path);
}

Result<std::string> AuthMasterClient::Impl::read_line(Clock::time_point deadline) {
    while (true) {
        std::size_t lf = input.find('\n', input_read);
        if (lf != std::string::npos) {
            std::string line = input.substr(input_read, lf - input_read);
            input_read = lf + 1;
            return line;
        }
        input.erase(0, input_read);
        input_read = 0;
        if (input.size() > master_protocol::kLineLimit)
            return fail(ErrorCode::Unavailable, fmt::format("{}: line too long", path));
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd ready{fd.get(), POLLIN, 0};
        int count = left > 0 ? ::poll(&ready, 1, static_cast<int>(left)) : 0;
        if (count < 0 && errno == EINTR) continue;
        if (count == 0)
            return fail(ErrorCode::Unavailable, fmt::format("{}: no answer in {} secs", path, kTimeout.count()));
        char buffer[16384];
        ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(ErrorCode::Unavailable, fmt::format("{}: {}", path, std::strerror(errno)));
        if (n == 0)
            return fail(ErrorCode::Unavailable, fmt::format("{}: the auth process closed the connection", path));
        input.append(buffer, static_cast<std::size_t>(n));
    }
}

Result<std::string> AuthMasterClient::Impl::first_reply(std::uint32_t id, Clock::time_point deadline) {
    std::string wanted = fmt::format("{}", id);
    while (true) {
        std::string line = TRY(read_line(deadline));
        auto fields = split(line, '\t');
        TRY(master_protocol::check_greeting(fields));
        if (fields[0] != "VERSION" && fields.size() > 1 && fields[1] == wanted && fields[0] != "SPID") return line;
    }
}

Result<std::string> AuthMasterClient::Impl::ask(const std::function<std::string(std::uint32_t id)>& make_line) {
    bool fresh = !fd;
    while (true) {
        if (!fd) TRY(open());
        std::uint32_t id = next_id++;
        Result<std::string> reply = fail(ErrorCode::Unavailable, fmt::format("{}: broken connection", path));
        std::string line = make_line(id);
        if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size()))
            reply = first_reply(id, Clock::now() + kTimeout);
        if (reply) return reply;
        fd.reset();
        if (fresh) return reply;
        fresh = true;
    }
}

AuthMasterClient::AuthMasterClient(std::string socket_path) : impl_(new Impl{.path = std::move(socket_path)}) {}
AuthMasterClient::~AuthMasterClient() = default;

Result<std::optional<UserRecord>> AuthMasterClient::lookup_user(const UserLookup& lookup) {
    std::string line =
        TRY(impl_->ask([&](std::uint32_t id) { return master_protocol::lookup_line("USER", id, lookup); }));
    return master_protocol::parse_reply(split(line, '\t'));
}

Result<std::optional<UserRecord>> AuthMasterClient::lookup_passdb(const UserLookup& lookup) {
    std::string line =
        TRY(impl_->ask([&](std::uint32_t id) { return master_protocol::lookup_line("PASS", id, lookup); }));
    return master_protocol::parse_reply(split(line, '\t'));
}

Result<std::optional<UserRecord>> AuthMasterClient::pick_up_login(const LoginTicket& ticket) {
    std::string line = TRY(impl_->ask([&](std::uint32_t id) { return master_protocol::request_line(id, ticket); }));
    return master_protocol::parse_reply(split(line, '\t'));
}

Result<std::vector<std::string>> AuthMasterClient::list_users(const std::string& service) {
    std::vector<std::string> users;
    Result<std::string> line = impl_->ask([&](std::uint32_t id) {
        return fmt::format("LIST\t{}\tservice={}\n", id, tab_escape(service.empty() ? "culver" : service));
    });
    while (true) {
        if (!line) return fail(line.error());
        auto fields = split(*line, '\t');
        if (fields[0] == "DONE") {
            if (fields.size() > 2 && fields[2] == "fail")
                return fail(ErrorCode::Unavailable, "the user databases could not be listed completely");
            return users;
        }
        if (fields[0] != "LIST") return fail(ErrorCode::Unavailable, "unexpected reply of the auth process to LIST");
        if (fields.size() > 2) users.push_back(tab_unescape(fields[2]));
        line = impl_->read_line(Clock::now() + kTimeout);
    }
}

namespace {
std::string with_words(std::string_view command, std::uint32_t id, const std::vector<std::string>& words) {
    std::string request = fmt::format("{}\t{}", command, id);
    for (const std::string& word : words) request += '\t' + tab_escape(word);
    return request + '\n';
}

Result<std::uint64_t> parse_count(const std::string& line, std::string_view what) {
    auto fields = split(line, '\t');
    auto count = fields.size() > 2 ? parse_uint64(fields[2]) : std::nullopt;
    if (fields[0] != "OK" || !count)
        return fail(ErrorCode::Unavailable, fmt::format("the auth process refused to {}", what));
    return *count;
}
}  // namespace

Result<std::uint64_t> AuthMasterClient::flush_cache(const std::vector<std::string>& users) {
    return parse_count(TRY(impl_->ask([&](std::uint32_t id) { return with_words("CACHE-FLUSH", id, users); })),
                       "flush its cache");
}

Result<std::uint64_t> AuthMasterClient::clear_penalties(const std::vector<std::string>& addresses) {
    return parse_count(TRY(impl_->ask([&](std::uint32_t id) { return with_words("PENALTY-CLEAR", id, addresses); })),
                       "forget penalties");
}

Result<std::vector<AuthMasterClient::Penalty>> AuthMasterClient::list_penalties() {
    std::vector<Penalty> out;
    Result<std::string> line = impl_->ask([](std::uint32_t id) { return with_words("PENALTY-LIST", id, {}); });
    while (true) {
        if (!line) return fail(line.error());
        auto fields = split(*line, '\t');
        if (fields[0] == "DONE") return out;
        if (fields[0] != "PENALTY" || fields.size() < 8)
            return fail(ErrorCode::Unavailable, "unexpected reply of the auth process to PENALTY-LIST");
        auto number = [&](std::size_t field) { return parse_uint64(fields[field]).value_or(0); };
        out.push_back({tab_unescape(fields[2]), static_cast<std::uint32_t>(number(3)),
                       std::chrono::milliseconds(number(4)), number(5), number(6),
                       std::chrono::milliseconds(number(7))});
        line = impl_->read_line(Clock::now() + kTimeout);
    }
}

}  // namespace culver
