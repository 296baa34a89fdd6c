#include <fmt/format.h>

#include <unordered_map>

#include "lib-auth/auth-master-client.h"
#include "lib-auth/line-connection.h"
#include "lib-auth/master-protocol.h"
#include "lib-base/text.h"
#include "lib-net/socket.h"

namespace culver {

namespace {
constexpr std::chrono::seconds kTimeout{90};
}

struct AsyncAuthMasterClient::Impl {
    struct Pending {
        Callback callback;
        EventLoop::TimerId timeout;
    };

    EventLoop& loop;
    std::string path;
    std::unique_ptr<LineConnection> connection{};
    std::uint32_t next_id = 1;
    std::unordered_map<std::uint32_t, Pending> requests{};
    std::shared_ptr<int> alive = std::make_shared<int>(0);  // expires with this object

    void send(const std::function<std::string(std::uint32_t id)>& make_line, Callback callback);
    Status connect();
    void handle(std::string_view line);
    void fail_all(const std::string& why);
    void finish(std::uint32_t id, Result<std::optional<UserRecord>> result);
};

Status AsyncAuthMasterClient::Impl::connect() {
    UniqueFd fd = TRY(connect_unix(path, Blocking::No));
    connection = std::make_unique<LineConnection>(
        loop, std::move(fd), master_protocol::kLineLimit,
        LineConnection::Callbacks{[this](std::string_view line) { handle(line); },
                                  [this](LineConnection::End, const std::string& why) { fail_all(why); }});
    connection->write(master_protocol::kHello);
    return {};
}

void AsyncAuthMasterClient::Impl::finish(std::uint32_t id, Result<std::optional<UserRecord>> result) {
    auto node = requests.extract(id);
    if (node.empty()) return;
    loop.cancel(node.mapped().timeout);
    node.mapped().callback(std::move(result));
}

void AsyncAuthMasterClient::Impl::fail_all(const std::string& why) {
    // The connection's own callback may be running: let it go after that.
    loop.post([dead = std::shared_ptr<LineConnection>(std::move(connection))] {});
    auto failed = std::move(requests);
    requests.clear();
    std::weak_ptr<int> still_here = alive;
    for (auto& [id, pending] : failed) {
        if (still_here.expired()) return;
        loop.cancel(pending.timeout);
        pending.callback(fail(ErrorCode::Unavailable, fmt::format("{}: {}", path, why)));
    }
}

void AsyncAuthMasterClient::Impl::handle(std::string_view line) {
    auto fields = split(line, '\t');
    if (auto greeting = master_protocol::check_greeting(fields); !greeting) {
        connection->close();
        return fail_all(greeting.error().detail);
    }
    if (fields[0] == "VERSION" || fields[0] == "SPID" || fields.size() < 2) return;
    if (auto id = parse_uint32(fields[1])) finish(*id, master_protocol::parse_reply(fields));
}

void AsyncAuthMasterClient::Impl::send(const std::function<std::string(std::uint32_t id)>& make_line,
                                       Callback callback) {
    std::uint32_t id = next_id++;
    if (next_id == 0) next_id = 1;
    auto timeout = loop.after(kTimeout, [this, id] {
        finish(id, fail(ErrorCode::Unavailable, fmt::format("{}: no answer in {} secs", path, kTimeout.count())));
    });
    requests.emplace(id, Pending{std::move(callback), timeout});
    if (!connection) {
        if (auto connected = connect(); !connected) {
            // Not from inside the call: the caller may not be ready for its own callback.
            loop.post([this, id, still_here = std::weak_ptr<int>(alive), error = connected.error()] {
                if (!still_here.expired()) finish(id, fail(ErrorCode::Unavailable, error.detail));
            });
            return;
        }
    }
    connection->write(make_line(id));
}

AsyncAuthMasterClient::AsyncAuthMasterClient(EventLoop& loop, std::string socket_path)
    : impl_(new Impl{loop, std::move(socket_path)}) {}

AsyncAuthMasterClient::~AsyncAuthMasterClient() {
    for (auto& [id, pending] : impl_->requests) impl_->loop.cancel(pending.timeout);
}

void AsyncAuthMasterClient::lookup_user(const UserLookup& lookup, Callback callback) {
    impl_->send([&](std::uint32_t id) { return master_protocol::lookup_line("USER", id, lookup); },
                std::move(callback));
}

void AsyncAuthMasterClient::pick_up_login(const LoginTicket& ticket, Callback callback) {
    impl_->send([&](std::uint32_t id) { return master_protocol::request_line(id, ticket); }, std::move(callback));
}

}  // namespace culver
