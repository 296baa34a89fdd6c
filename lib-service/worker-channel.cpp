#include <signal.h>
#include <sys/socket.h>

#include <cstdlib>
#include <mutex>

#include "lib-base/log.h"
#include "lib-net/socket.h"
#include "lib-service/inheritance.h"
#include "lib-service/worker-pool.h"

namespace culver {
namespace {
constexpr std::size_t kMessageLimit = 64 << 10;
}

struct WorkerChannel::Impl {
    std::string protocol;
    UniqueFd fd;
    mutable std::mutex mutex;  // guards settings
    std::shared_ptr<const Settings> settings;
};

WorkerChannel::WorkerChannel() : impl_(std::make_unique<Impl>()) {}
WorkerChannel::~WorkerChannel() = default;

Result<std::unique_ptr<WorkerChannel>> WorkerChannel::take_over(const std::string& protocol) {
    std::unique_ptr<WorkerChannel> channel(new WorkerChannel);
    Impl& impl = *channel->impl_;
    impl.protocol = protocol;
    if (const char* name = ::getenv(kServiceVariable)) set_log_prefix(std::string(name) + ": ");
    log_to_master(TRY(inherited_fd(kLogFdVariable)));
    impl.fd = TRY(inherited_fd(kChannelFdVariable));
    const UniqueFd memfd = TRY(inherited_fd(kSettingsFdVariable));
    impl.settings = TRY(read_settings_memfd(memfd.get(), protocol));
    set_log_debug(impl.settings->boolean("mail_debug"));
    // The dispatcher decides when a worker ends; a terminal's signals go to the master.
    for (int number : {SIGPIPE, SIGINT, SIGHUP}) ::signal(number, SIG_IGN);
    return channel;
}

int WorkerChannel::fd() const { return impl_->fd.get(); }

std::shared_ptr<const Settings> WorkerChannel::settings() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->settings;
}

Result<WorkerChannel::Message> WorkerChannel::receive() {
    ReceivedMessage received = TRY(receive_with_fds(impl_->fd.get(), kMessageLimit));
    if (received.bytes.empty()) return Message{Message::Kind::Closed, {}, {}};
    switch (received.bytes[0]) {
        case 'J': return Message{Message::Kind::Job, received.bytes.substr(1), std::move(received.fds)};
        case 'E': return Message{Message::Kind::EndJob, received.bytes.substr(1), {}};
        case 'Q': return Message{Message::Kind::Report, {}, {}};
        case 'S': return Message{Message::Kind::Stop, {}, {}};
        case 'R': break;
        default: return fail(ErrorCode::Corrupt, "the dispatcher sent a message of an unknown kind");
    }
    if (received.fds.empty()) return fail(ErrorCode::Corrupt, "the dispatcher sent no settings");
    auto fresh = TRY(read_settings_memfd(received.fds[0].get(), impl_->protocol));
    set_log_debug(fresh->boolean("mail_debug"));
    std::lock_guard lock(impl_->mutex);
    impl_->settings = std::move(fresh);
    return Message{Message::Kind::Reload, {}, {}};
}

Status WorkerChannel::send(std::string_view message) { return send_with_fds(impl_->fd.get(), message, {}); }

}  // namespace culver
