#include "lmtpd/worker.h"

#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "lib-base/log.h"
#include "lib-delivery/delivery.h"
#include "lib-net/socket.h"
#include "lmtpd/delivery-job.h"
#include "lmtpd/front-message.h"
#include "lmtpd/user-cache.h"

namespace culver {
namespace {

constexpr unsigned kThreads = 16;  // deliveries at once
constexpr std::size_t kKeepUsers = 200;

// The threads that serve one channel. The kernel hands each packet to one of those that wait, so no thread reads for
// others; one more is started when the last idle one takes a job. Shared by its threads; ends when they have ended.
class ChannelServer : public std::enable_shared_from_this<ChannelServer> {
public:
    ChannelServer(UniqueFd fd, UserCache& users, WorkerChannel& dispatcher, std::atomic<unsigned>& running)
        : fd_(std::move(fd)), users_(users), dispatcher_(dispatcher), running_(running) {}

    ~ChannelServer() {
        if (Status told = dispatcher_.send(kIdleMessage); !told)
            log_debug("The dispatcher is gone: " + told.error().detail);
    }

    void add_thread() {
        ++threads_;
        ++idle_;
        ++running_;
        try {
            std::thread([self = shared_from_this(), &running = running_]() mutable {
                self->serve();
                self.reset();
                --running;
                running.notify_all();
            }).detach();
        } catch (const std::system_error& error) {  // no more threads to be had: those there are go on
            --threads_;
            --idle_;
            --running_;
            log_warning(std::string("A delivery thread cannot be started: ") + error.what());
        }
    }

private:
    void serve() {
        std::vector<char> buffer(kInlineMessage + kJobLimit);
        for (;;) {
            auto packet = receive_into(fd_.get(), buffer);
            if (packet && packet->size == 0) return;  // the front closed the channel
            if (!packet) {
                log_error("Delivery: " + packet.error().detail);
                ::shutdown(fd_.get(), SHUT_RDWR);  // the front drops the channel and answers its clients
                return;
            }
            if (--idle_ == 0 && threads_ < kThreads) add_thread();
            auto parsed = DeliveryJob::deserialize({buffer.data(), packet->size});
            if (!parsed) {
                log_error("Delivery: " + parsed.error().detail);
                ::shutdown(fd_.get(), SHUT_RDWR);
                return;
            }
            const int file = packet->fds.empty() ? -1 : packet->fds[0].get();
            const std::string answer = run(parsed->job, parsed->message, file).serialize();
            ++idle_;
            ::send(fd_.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
        }
    }

    DeliveryAnswer run(const DeliveryJob& job, std::string_view message, int file) {
        LogPrefix prefix(delivery_log_prefix(*users_.settings(), "lmtp", job.username, job.session));
        auto user = users_.open(job);
        if (!user) {
            log_error(user.error().detail);
            return {job.id, false, user.error().code};
        }
        DeliveryOrder order{job.mailbox, job.prepend, job.sender, job.recipient, job.session};
        MemorySource memory(message);
        FileSource from_file(file);
        MessageSource& source = job.in_file ? static_cast<MessageSource&>(from_file) : memory;
        Status saved = deliver(*(*user)->mail, *(*user)->settings, order, source);
        return {job.id, saved.has_value(), saved ? ErrorCode::Internal : saved.error().code};
    }

    UniqueFd fd_;
    UserCache& users_;
    WorkerChannel& dispatcher_;
    std::atomic<unsigned>& running_;  // threads of all channels
    std::atomic<unsigned> threads_{0}, idle_{0};
};

}  // namespace

int run_worker(WorkerChannel& dispatcher, WorkerChannel::Message first) {
    UserCache users(dispatcher.settings(), kKeepUsers);
    std::atomic<unsigned> running{0};
    auto serve = [&](WorkerChannel::Message& message) {
        if (message.bytes != kDeliverTask || message.fds.empty()) return;
        std::make_shared<ChannelServer>(std::move(message.fds[0]), users, dispatcher, running)->add_thread();
    };
    serve(first);
    for (;;) {
        auto message = dispatcher.receive();
        if (!message) {
            log_error("The dispatcher cannot be understood: " + message.error().detail);
            continue;
        }
        if (message->kind == WorkerChannel::Message::Kind::Job) serve(*message);
        if (message->kind == WorkerChannel::Message::Kind::Reload) users.replace_settings(dispatcher.settings());
        if (message->kind == WorkerChannel::Message::Kind::Stop ||
            message->kind == WorkerChannel::Message::Kind::Closed)
            break;
    }
    // The front is gone or has closed its channels, or will: each thread ends when its channel does.
    for (unsigned left = running; left > 0; left = running) running.wait(left);
    return 0;
}

}  // namespace culver
