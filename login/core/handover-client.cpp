#include "login/core/handover-client.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "lib-base/log.h"
#include "lib-net/socket.h"

namespace culver {
namespace {

constexpr std::size_t kReplyLimit = 8192;

std::string framed(const LoginHandover& handover) {
    const std::string body = handover.serialize();
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(body.size() >> shift & 0xff);
    return bytes + body;
}

}  // namespace

HandoverClient::~HandoverClient() {
    if (socket_) loop_.unwatch(socket_.get());
}

Status HandoverClient::connect() {
    socket_ = TRY(connect_unix(path_, Blocking::No));
    waiting_ = false;
    loop_.watch(socket_.get(), Interest::Read, [this](Ready ready) {
        if (ready.readable) read_replies();
        if (socket_ && ready.writable) flush();
    });
    return {};
}

void HandoverClient::hand_over(const LoginHandover& handover, int fd, Callback callback) {
    queue_.push_back({framed(handover), fd, std::move(callback)});
    if (!socket_) {
        if (Status status = connect(); !status) {
            loop_.post([this, why = status.error().detail] { lost(why); });
            return;
        }
    }
    flush();
}

void HandoverClient::flush() {
    while (!queue_.empty()) {
        const int fds[] = {queue_.front().fd};
        Status status = send_with_fds(socket_.get(), queue_.front().bytes, fds);
        if (!status && status.error().code == ErrorCode::Unavailable) return wait_for_room(true);
        if (!status) return loop_.post([this, why = status.error().detail] { lost(why); });
        sent_.push_back(std::move(queue_.front().callback));
        queue_.pop_front();
    }
    wait_for_room(false);
}

void HandoverClient::wait_for_room(bool waiting) {
    if (std::exchange(waiting_, waiting) != waiting)
        loop_.set_interest(socket_.get(), waiting ? Interest::ReadWrite : Interest::Read);
}

void HandoverClient::read_replies() {
    char buffer[4096];
    ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return lost(n == 0 ? "connection closed" : "connection broken");
    input_.append(buffer, static_cast<std::size_t>(n));
    for (;;) {
        const auto end = input_.find('\n');
        if (end == std::string::npos) break;
        auto reply = HandoverReply::parse(std::string_view(input_).substr(0, end));
        input_.erase(0, end + 1);
        if (!reply || sent_.empty()) return lost("unexpected answer");
        Callback callback = std::move(sent_.front());
        sent_.pop_front();
        callback(*reply);
        if (!socket_) return;
    }
    if (input_.size() > kReplyLimit) lost("an answer without end");
}

void HandoverClient::lost(const std::string& why) {
    if (socket_) loop_.unwatch(socket_.get());
    socket_.reset();
    input_.clear();
    std::deque<Callback> failed = std::move(sent_);
    sent_.clear();
    for (Job& job : queue_) failed.push_back(std::move(job.callback));
    queue_.clear();
    if (!failed.empty())
        log_error(fmt::format("{}: {}; {} logins could not be handed over", path_, why, failed.size()));
    const HandoverReply reply{.ok = false, .mail_pid = 0, .code = "unavailable", .text = ""};
    for (Callback& callback : failed) callback(reply);
}

}  // namespace culver
