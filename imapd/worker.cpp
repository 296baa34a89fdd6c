#include "imapd/worker.h"

#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <unordered_map>

#include "imapd/session-job.h"
#include "imapd/session-pool.h"
#include "imapd/user-cache.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-service/worker-pool.h"
#include "lib-storage/mail-user.h"

namespace culver {
namespace {

// How many sessions work at once; those that wait for a slow client are not counted.
constexpr unsigned kThreads = 8;
constexpr std::chrono::seconds kStopPatience{20};

class Worker {
public:
    explicit Worker(WorkerChannel& channel)
        : channel_(channel),
          users_(mailboxes_),
          poke_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          pool_(kThreads, [this](std::uint64_t id) { session_ended(id); }) {
        pool_.set_on_earlier([this] {
            const std::uint64_t one = 1;
            (void)!::write(poke_.get(), &one, sizeof one);
        });
    }

    int run() {
        bool serving = true;
        while (serving || pool_.size() > 0) {
            const auto until = pool_.wake_due();
            wait(serving, until);
            if (serving && channel_has_message_) serving = take_message();
        }
        mailboxes_.flush();
        return EXIT_SUCCESS;
    }

private:
    void wait(bool serving, std::chrono::steady_clock::time_point until) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        // Without a dispatcher nobody tells when the last session has gone: look every second.
        const int timeout = serving ? static_cast<int>(std::max<std::int64_t>(0, left.count() + 1)) : 1000;
        pollfd fds[2] = {{poke_.get(), POLLIN, 0}, {channel_.fd(), POLLIN, 0}};
        (void)::poll(fds, serving ? 2 : 1, timeout);
        channel_has_message_ = serving && fds[1].revents != 0;
        if (fds[0].revents) {
            std::uint64_t ignored;
            (void)!::read(poke_.get(), &ignored, sizeof ignored);
        }
    }

    // False: no more jobs will come.
    bool take_message() {
        auto message = channel_.receive();
        if (!message) {
            log_error(message.error().detail);
            return false;
        }
        switch (message->kind) {
            case WorkerChannel::Message::Kind::Job:
                if (auto started = start_session(*message); !started) log_error(started.error().detail);
                return true;
            case WorkerChannel::Message::Kind::Reload:
                users_.forget_all();  // new sessions get the new settings, the others keep theirs
                return true;
            case WorkerChannel::Message::Kind::EndJob: pool_.end(parse_uint64(message->bytes).value_or(0)); return true;
            case WorkerChannel::Message::Kind::Report: report_sessions(); return true;
            case WorkerChannel::Message::Kind::Stop:
                pool_.stop();
                (void)pool_.wait_until_empty(kStopPatience);
                mailboxes_.flush();
                std::_Exit(EXIT_SUCCESS);  // threads that still wait for a client are not waited for
            case WorkerChannel::Message::Kind::Closed: return false;
        }
        return true;
    }

    Status start_session(WorkerChannel::Message& message) {
        auto job = TRY(SessionJob::deserialize(message.bytes));
        if (message.fds.size() != 1) return fail(ErrorCode::Corrupt, "a session came without its client's socket");
        const int no_delay = 1;
        ::setsockopt(message.fds[0].get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);

        SessionStart start;
        start.username = job.username;
        {
            const std::lock_guard lock(sessions_mutex_);
            sessions_[job.id] = {job.id, job.username, job.login.remote_ip};
        }
        start.session_id = job.login.session;
        start.remote_ip = job.login.remote_ip;
        start.tag = job.login.tag;
        start.capability_sent = job.login.client_asked_capability;
        start.pending_input = std::move(job.login.pending_input);
        const std::uint64_t id = job.id;
        auto settings = users_.settings_for(job, channel_.settings());
        if (!settings) {
            log_error("user " + job.username + ": " + settings.error().detail);
            settings = channel_.settings();
        }
        start.settings = std::move(*settings);
        start.open_user = [this, job = std::move(job), settings = start.settings] {
            return users_.open(job, settings);
        };
        pool_.add(id, std::move(message.fds[0]), std::move(start));
        return {};
    }

    void session_ended(std::uint64_t id) {
        const std::lock_guard lock(sessions_mutex_);
        sessions_.erase(id);
        (void)channel_.send(session_ended_message(id));
    }

    // Told under the lock: the end of a session never overtakes the report that it is there.
    void report_sessions() {
        const std::lock_guard lock(sessions_mutex_);
        std::vector<ReportedSession> all;
        for (const auto& [id, session] : sessions_) all.push_back(session);
        for (const std::string& message : session_report_messages(all)) (void)channel_.send(message);
    }

    WorkerChannel& channel_;
    std::mutex sessions_mutex_;  // guards sessions_, and the order of what is said about them
    std::unordered_map<std::uint64_t, ReportedSession> sessions_;
    MailboxCache mailboxes_;
    UserCache users_;
    UniqueFd poke_;
    SessionPool pool_;
    bool channel_has_message_ = false;
};

}  // namespace

int run_worker() {
    // An arena per thread would reserve more address space than vsz_limit allows, and keep what parked sessions free.
    ::mallopt(M_ARENA_MAX, 2);
    auto channel = WorkerChannel::take_over("imap");
    if (!channel) {
        log_line(LogLevel::Fatal, channel.error().detail);
        return EXIT_FAILURE;
    }
    Worker worker(**channel);
    return worker.run();
}

}  // namespace culver
