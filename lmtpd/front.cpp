#include "lmtpd/front.h"

#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lmtpd/connection.h"
#include "lmtpd/front-message.h"

namespace culver {
namespace {

constexpr std::chrono::seconds kStopLimit{30};  // how long deliveries under way may take once the server stops

class Front {
public:
    explicit Front(WorkerChannel& dispatcher)
        : dispatcher_(dispatcher),
          users_(loop_, socket_path(*dispatcher.settings())),
          channels_(loop_, [this](std::string_view line) { return dispatcher_.send(line); }),
          context_{loop_, users_, channels_, nullptr, nullptr, {}} {
        take_settings();
    }

    int run() {
        set_log_prefix(fmt::format("lmtp({}): ", ::getpid()));
        loop_.watch(dispatcher_.fd(), Interest::Read, [this](Ready) { read_dispatcher(); });
        loop_.run();
        return 0;
    }

private:
    static std::string socket_path(const Settings& settings) { return settings.string("base_dir") + "/auth-userdb"; }

    void read_dispatcher() {
        auto message = dispatcher_.receive();
        if (!message) {
            log_error("The dispatcher cannot be understood: " + message.error().detail);
            return loop_.stop();
        }
        switch (message->kind) {
            case WorkerChannel::Message::Kind::Job: return handle(*message);
            case WorkerChannel::Message::Kind::Reload: return take_settings();
            case WorkerChannel::Message::Kind::EndJob:
            case WorkerChannel::Message::Kind::Report: return;  // for workers that outlive their dispatcher
            case WorkerChannel::Message::Kind::Stop: return stop();
            case WorkerChannel::Message::Kind::Closed: return loop_.stop();
        }
    }

    // Connections that exist keep what they began with.
    void take_settings() {
        context_.settings = dispatcher_.settings();
        auto tls = make_tls_context(*context_.settings);
        if (!tls) log_error("STARTTLS is not offered: " + tls.error().detail);
        context_.tls = tls ? std::move(*tls) : nullptr;
    }

    void handle(WorkerChannel::Message& message) {
        const std::string_view line = message.bytes;
        if (line.starts_with(kConnection) && !message.fds.empty())
            return connect(std::move(message.fds[0]),
                           line.ends_with("\t1") ? Connection::Tls::Now : Connection::Tls::Later);
        if (auto refusal = WorkerRefusal::parse(line)) return channels_.refused(*refusal);
        if (auto grant = WorkerGrant::parse(line); grant && !message.fds.empty())
            return channels_.granted(*grant, std::move(message.fds[0]));
    }

    void connect(UniqueFd fd, Connection::Tls tls) {
        const std::uint64_t id = next_connection_++;
        auto connection = std::make_shared<Connection>(context_, std::move(fd), tls, [this, id] {
            if (Status told = dispatcher_.send(kClosedMessage); !told)
                log_error("The dispatcher cannot be told: " + told.error().detail);
            // Not now: the connection is still running.
            loop_.post([this, id] {
                connections_.erase(id);
                if (stopping_ && connections_.empty()) loop_.stop();
            });
        });
        connections_[id] = connection;
        connection->start();
        if (stopping_) connection->shut_down();
    }

    void stop() {
        stopping_ = true;
        auto connections = connections_;  // shutting one down may end it
        for (auto& [id, connection] : connections) connection->shut_down();
        if (connections_.empty()) return loop_.stop();
        loop_.after(kStopLimit, [this] {
            log_warning(fmt::format("Stopping with {} deliveries under way", channels_.pending()));
            loop_.stop();
        });
    }

    WorkerChannel& dispatcher_;
    EventLoop loop_;
    AsyncAuthMasterClient users_;
    DeliveryChannels channels_;
    FrontContext context_;
    std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;
    std::uint64_t next_connection_ = 1;
    bool stopping_ = false;
};

}  // namespace

int run_front(WorkerChannel& channel) { return Front(channel).run(); }

}  // namespace culver
