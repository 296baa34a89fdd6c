#include "lmtpd/delivery-channels.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <unordered_map>

#include "lib-base/log.h"

namespace culver {
namespace {
constexpr std::chrono::seconds kKeepIdle{60};
constexpr std::size_t kAnswerLimit = 4096;
}  // namespace

struct DeliveryChannels::Packet {
    std::string head;
    std::shared_ptr<const MessageBuffer> message;
};

struct DeliveryChannels::Channel {
    std::uint64_t id = 0;
    WorkerIdentity identity;
    UniqueFd fd;  // empty until the dispatcher granted it
    bool waits_to_write = false;
    std::deque<Packet> queue;
    std::unordered_map<std::uint64_t, Callback> pending;
    EventLoop::Clock::time_point last_used;
};

DeliveryChannels::DeliveryChannels(EventLoop& loop, std::function<Status(std::string_view)> ask)
    : loop_(loop), ask_(std::move(ask)) {}

DeliveryChannels::~DeliveryChannels() {
    loop_.cancel(idle_timer_);
    for (auto& [id, channel] : channels_)
        if (channel->fd) loop_.unwatch(channel->fd.get());
}

std::size_t DeliveryChannels::pending() const {
    std::size_t count = 0;
    for (const auto& [id, channel] : channels_) count += channel->pending.size();
    return count;
}

void DeliveryChannels::deliver(const WorkerIdentity& identity, DeliveryJob job,
                               std::shared_ptr<const MessageBuffer> message, Callback callback) {
    Channel* channel = nullptr;
    for (auto& [id, known] : channels_)
        if (known->identity == identity) channel = known.get();
    if (!channel) {
        auto fresh = std::make_unique<Channel>();
        fresh->id = next_request_++;
        fresh->identity = identity;
        channel = (channels_[fresh->id] = std::move(fresh)).get();
    }
    job.id = next_job_++;
    job.in_file = message->is_in_file();
    channel->last_used = EventLoop::Clock::now();
    channel->pending.emplace(job.id, std::move(callback));
    channel->queue.push_back({job.serialize(), std::move(message)});
    if (channel->fd) return write(*channel);
    if (channel->pending.size() > 1) return;  // asked for already
    const std::uint64_t id = channel->id;
    if (Status asked = ask_(WorkerRequest{id, identity}.to_line()); !asked)
        loop_.post([this, id, why = asked.error().detail] { drop(id, why); });
    if (idle_timer_ == 0) idle_timer_ = loop_.after(kKeepIdle, [this] { drop_idle(); });
}

// One sendmsg: head and message as one packet, or head and descriptor.
static ssize_t send_packet(int fd, const std::string& head, const MessageBuffer& message) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                      {const_cast<char*>(message.memory().data()), message.memory().size()}};
    msghdr header{};
    header.msg_iov = parts;
    header.msg_iovlen = message.is_in_file() ? 1 : 2;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if (message.is_in_file()) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        const int file = message.file();
        std::memcpy(CMSG_DATA(rights), &file, sizeof file);
    }
    ssize_t n;
    do n = ::sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

void DeliveryChannels::write(Channel& channel) {
    while (!channel.queue.empty()) {
        const Packet& packet = channel.queue.front();
        if (send_packet(channel.fd.get(), packet.head, *packet.message) < 0) {
            if (errno != EAGAIN && errno != ETOOMANYREFS) {
                // Found out by the reader as well; from here the callbacks must not run inside deliver().
                loop_.post([this, id = channel.id, why = std::string(std::strerror(errno))] { drop(id, why); });
                return;
            }
            if (!std::exchange(channel.waits_to_write, true)) loop_.set_interest(channel.fd.get(), Interest::ReadWrite);
            return;
        }
        channel.queue.pop_front();
    }
    if (std::exchange(channel.waits_to_write, false)) loop_.set_interest(channel.fd.get(), Interest::Read);
}

void DeliveryChannels::read(std::uint64_t id) {
    char buffer[kAnswerLimit];
    for (;;) {
        auto it = channels_.find(id);
        if (it == channels_.end()) return;
        Channel& channel = *it->second;
        const ssize_t n = ::recv(channel.fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) return drop(id, "the delivery process has ended");
        auto answer = DeliveryAnswer::deserialize({buffer, static_cast<std::size_t>(n)});
        if (!answer) return drop(id, answer.error().detail);
        auto pending = channel.pending.extract(answer->id);
        channel.last_used = EventLoop::Clock::now();
        if (!pending.empty()) pending.mapped()(*answer);
    }
}

void DeliveryChannels::granted(const WorkerGrant& grant, UniqueFd fd) {
    auto it = channels_.find(grant.id);
    if (it == channels_.end()) return;  // given up meanwhile; closing the fd tells the worker
    Channel& channel = *it->second;
    channel.fd = std::move(fd);
    const std::uint64_t id = grant.id;
    loop_.watch(channel.fd.get(), Interest::Read, [this, id](Ready ready) {
        auto found = channels_.find(id);
        if (found == channels_.end()) return;
        if (ready.writable && found->second->waits_to_write) write(*found->second);
        if (ready.readable) read(id);
    });
    write(channel);
}

void DeliveryChannels::refused(const WorkerRefusal& refusal) { drop(refusal.id, refusal.text); }

// The channel is gone; what was under way gets its answer. Whether a message was saved before the worker died nobody
// knows: the client tries again, so that none is lost.
void DeliveryChannels::drop(std::uint64_t id, const std::string& why) {
    auto node = channels_.extract(id);
    if (node.empty()) return;
    Channel& channel = *node.mapped();
    if (channel.fd) loop_.unwatch(channel.fd.get());
    if (!channel.pending.empty())
        log_error("Mail for uid " + std::to_string(channel.identity.uid) + " cannot be delivered now: " + why);
    for (auto& [job, callback] : channel.pending) callback({job, false, ErrorCode::Unavailable});
}

void DeliveryChannels::drop_idle() {
    const auto limit = EventLoop::Clock::now() - kKeepIdle;
    for (auto it = channels_.begin(); it != channels_.end();) {
        const std::uint64_t id = it->first;
        const bool idle = it->second->pending.empty() && it->second->last_used < limit;
        ++it;
        if (idle) drop(id, {});
    }
    idle_timer_ = channels_.empty() ? 0 : loop_.after(kKeepIdle, [this] { drop_idle(); });
}

}  // namespace culver
