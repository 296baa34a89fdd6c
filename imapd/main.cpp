// imap: the mail process of IMAP. Started by the master it is the dispatcher; with --worker it serves sessions.
#include <cstdlib>
#include <string_view>

#include "imapd/dispatcher.h"
#include "imapd/worker.h"
#include "lib-base/log.h"

int main(int argc, char** argv) {
    using namespace culver;
    set_log_prefix("imap: ");
    if (argc > 1 && std::string_view(argv[1]) == "--worker") return run_worker();
    auto service = Service::take_over("imap");
    if (!service) {
        log_line(LogLevel::Fatal, service.error().detail);
        return 89;
    }
    Dispatcher dispatcher(**service);
    if (auto dropped = (*service)->drop_privileges(); !dropped) {
        log_line(LogLevel::Fatal, dropped.error().detail);
        return 89;
    }
    return dispatcher.run();
}
