// auth: the one process that sees password databases (docs/auth-protocol.md, ARCHITECTURE.md).
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "authd/helper-processes.h"
#include "authd/helper-users.h"
#include "authd/pam-workers.h"
#include "authd/program-helper.h"
#include "authd/server.h"
#include "lib-auth/ldap/ldap-source.h"
#include "lib-base/log.h"
#include "lib-service/service.h"

using namespace culver;

namespace {
constexpr int kFatal = 89;  // exit status: the log says why
constexpr std::chrono::seconds kFinishing{1};
// How long a successor waits for the logins that are under way here.
constexpr std::chrono::seconds kRetirePatience{3};
constexpr std::chrono::milliseconds kRetirePause{20};

std::size_t connection_limit(const Settings& settings) {
    const ServiceSettings* service = settings.find_service("auth");
    return service && service->client_limit ? service->client_limit : settings.number("default_client_limit");
}

// Dovecot counts wrong guesses behind this listener, and the documented way to switch penalties off is to close it.
bool penalties_wanted(const Settings& settings) {
    const ServiceSettings* service = settings.find_service("anvil");
    if (!service) return true;
    return std::none_of(service->listeners.begin(), service->listeners.end(), [](const ListenerSettings& listener) {
        return listener.name == "anvil-auth-penalty" && listener.mode == 0;
    });
}

void leave_when_idle(EventLoop& loop, AuthServer& server, EventLoop::Clock::time_point latest) {
    const bool late = EventLoop::Clock::now() >= latest;
    if (!late && server.has_logins())
        return static_cast<void>(
            loop.after(kRetirePause, [&loop, &server, latest] { leave_when_idle(loop, server, latest); }));
    server.fail_attempts();
    loop.stop();
}

// What the master, its settings and new clients want of the server from now on.
// Who wants to see passwords wants to see the lines that they stand in.
void follow_debug(const Settings& settings) {
    set_log_debug(settings.boolean("auth_debug") || settings.boolean("auth_debug_passwords"));
}

void follow(Service& self, AuthServer& server, const Settings& settings) {
    follow_debug(settings);
    server.limit_connections(connection_limit(settings), [&self](bool full) { self.pause_listeners(full); });
    self.watch_listeners([&server](InheritedListener& listener) {
        server.accept_from(listener.fd.get(), auth_protocol_of(listener.name));
    });
    self.on_reload([&self, &server] {
        auto fresh = self.settings();
        follow_debug(*fresh);
        server.want_penalties(penalties_wanted(*fresh));
        if (auto used = server.use_settings(AuthSettings::from(*fresh), service_auth_settings(*fresh)); !used)
            log_error(fmt::format("reload: the old settings stay in use: {}", used.error().detail));
    });
    self.on_retire(
        [&self, &server] { leave_when_idle(self.loop(), server, EventLoop::Clock::now() + kRetirePatience); });
}

// Only root's process can make another supervisor: the master starts auth again. New clients wait in the listeners'
// queues meanwhile; what can still be finished is.
void end_with_supervisor(Service& self, AuthServer& server, HelperProcesses& helpers) {
    helpers.on_supervisor_lost(self.loop(), [&self, &server] {
        log_error("the supervisor of auth's helper processes has died; auth ends, to be started again");
        self.pause_listeners(true);
        self.loop().after(kFinishing, [&server] {
            server.fail_attempts();
            std::_Exit(0);  // without waiting for threads that may hang in a helper's place
        });
    });
}

int refuse(const Error& error) {
    log_line(LogLevel::Fatal, error.detail);
    return kFatal;
}
}  // namespace

int main() {
    // Each arena reserves address space, of which vsz_limit gives little.
    ::mallopt(M_ARENA_MAX, 2);
    auto service = Service::take_over("");
    if (!service) {
        std::fprintf(stderr, "auth: Fatal: %s (auth is started by dovecot)\n", service.error().detail.c_str());
        return kFatal;
    }
    Service& self = **service;
    PasswdFileRegistry files;
    auto settings = self.settings();
    // While there is one thread and, as a rule, still root.
    const std::size_t at_once = AuthSettings::from(*settings).worker_count;
    auto helpers = HelperProcesses::start(
        {pam_helpers(become_worker(*settings), at_once), program_helpers(become_auth_user(*settings), at_once)});
    if (!helpers) return refuse(helpers.error());
    PamWorkers pam(**helpers, 0);
    HelperProgramRunner programs(**helpers, 1);
    LdapRegistry ldap;
    DriverContext context{&files, &pam, &programs, &ldap};
    AuthServer server(self.loop(), context);
    set_log_debug(settings->boolean("auth_debug"));
    if (auto used = server.use_settings(AuthSettings::from(*settings), service_auth_settings(*settings)); !used)
        return refuse(used.error());
    server.want_penalties(penalties_wanted(*settings));
    // After the configuration files of the databases were read, which only root may read.
    if (auto dropped = self.drop_privileges(); !dropped) return refuse(dropped.error());
    follow(self, server, *settings);
    end_with_supervisor(self, server, **helpers);
    const int code = self.run();
    (*helpers)->stop();
    return code;
}
