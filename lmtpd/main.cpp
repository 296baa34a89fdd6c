// lmtp: takes mail over LMTP and puts it into mailboxes (docs/lmtp.md). One program in three parts: the dispatcher,
// which the master starts; the front; and one worker per uid, both started by the dispatcher.
#include <string_view>

#include "lib-base/log.h"
#include "lib-config/load.h"
#include "lib-service/service.h"
#include "lib-service/worker-pool.h"
#include "lmtpd/dispatcher.h"
#include "lmtpd/front-message.h"
#include "lmtpd/front.h"
#include "lmtpd/worker.h"

using namespace culver;

namespace {

int fatal(const Error& error) {
    log_line(LogLevel::Fatal, error.detail);
    return kExitConfig;
}

int run_as_worker() {
    auto channel = WorkerChannel::take_over("lmtp");
    if (!channel) return fatal(channel.error());
    // The first message says which part this process is.
    for (;;) {
        auto message = (*channel)->receive();
        if (!message) return fatal(message.error());
        switch (message->kind) {
            case WorkerChannel::Message::Kind::EndJob:
            case WorkerChannel::Message::Kind::Report:
            case WorkerChannel::Message::Kind::Reload: continue;
            case WorkerChannel::Message::Kind::Stop:
            case WorkerChannel::Message::Kind::Closed: return 0;
            case WorkerChannel::Message::Kind::Job: break;
        }
        if (message->bytes == kFrontTask) return run_front(**channel);
        return run_worker(**channel, std::move(*message));
    }
}

int run_as_service() {
    auto service = Service::take_over("lmtp");
    if (!service) return fatal(service.error());
    Dispatcher dispatcher(**service);
    if (Status dropped = (*service)->drop_privileges(); !dropped) return fatal(dropped.error());
    return dispatcher.run();
}

}  // namespace

int main(int argc, char** argv) {
    const bool worker = argc > 1 && std::string_view(argv[1]) == "--worker";
    return worker ? run_as_worker() : run_as_service();
}
