// auth: the one process that sees password databases (docs/auth-protocol.md, ARCHITECTURE.md).
#include <malloc.h>

#include <cstdio>

#include <fmt/format.h>

#include "authd/pam-workers.h"
#include "authd/server.h"
#include "lib-base/log.h"
#include "lib-service/service.h"

using namespace culver;

namespace {
std::size_t connection_limit(const Settings& settings) {
    const ServiceSettings* service = settings.find_service("auth");
    return service && service->client_limit ? service->client_limit : settings.number("default_client_limit");
}
}  // namespace

int main() {
    // Each arena reserves address space, of which vsz_limit gives little.
    ::mallopt(M_ARENA_MAX, 2);
    auto service = Service::take_over("");
    if (!service) {
        std::fprintf(stderr, "auth: Fatal: %s (auth is started by dovecot)\n", service.error().detail.c_str());
        return 89;
    }
    Service& self = **service;
    PasswdFileRegistry files;
    auto settings = self.settings();
    // While there is one thread and, as a rule, still root.
    PamWorkers::Options pam_options;
    if (const ServiceSettings* worker = settings->find_service("auth-worker")) pam_options.user = worker->user;
    auto pam = PamWorkers::start(pam_options);
    if (!pam) {
        log_line(LogLevel::Fatal, pam.error().detail);
        return 89;
    }
    DriverContext context{&files, pam->get()};
    AuthServer server(self.loop(), context);
    set_log_debug(settings->boolean("auth_debug"));
    if (auto used = server.use_settings(AuthSettings::from(*settings)); !used) {
        log_line(LogLevel::Fatal, used.error().detail);
        return 89;
    }
    // After the configuration files of the databases were read, which only root may read.
    if (auto dropped = self.drop_privileges(); !dropped) {
        log_line(LogLevel::Fatal, dropped.error().detail);
        return 89;
    }
    server.limit_connections(connection_limit(*settings), [&](bool full) { self.pause_listeners(full); });
    self.watch_listeners([&](InheritedListener& listener) {
        server.accept_from(listener.fd.get(), auth_protocol_of(listener.name));
    });
    self.on_reload([&] {
        auto fresh = self.settings();
        set_log_debug(fresh->boolean("auth_debug"));
        if (auto used = server.use_settings(AuthSettings::from(*fresh)); !used)
            log_error(fmt::format("reload: the old settings stay in use: {}", used.error().detail));
    });
    return self.run();
}
