// imap-login: meets strangers on the IMAP ports.
#include "lib-base/log.h"
#include "lib-config/load.h"
#include "lib-service/service.h"
#include "login/core/login-server.h"
#include "login/core/sandbox.h"
#include "login/imap/imap-login-client.h"

int main() {
    using namespace culver;
    auto service = Service::take_over("imap");
    if (!service) {
        log_line(LogLevel::Fatal, service.error().detail);
        return kExitConfig;
    }
    BackendTls backend_tls = BackendTls::load(*(*service)->settings());
    prepare_for_sandbox();
    if (Status status = (*service)->drop_privileges(); !status) {
        log_line(LogLevel::Fatal, "Can't drop privileges: " + status.error().detail);
        return kExitConfig;
    }
    if (Status status = enter_sandbox(); !status) log_warning("seccomp: " + status.error().detail);
    const auto make_client = [](LoginServer& owner, Arrival arrival, LoginSettings settings) {
        return std::unique_ptr<LoginClient>(new ImapLoginClient(owner, std::move(arrival), std::move(settings)));
    };
    LoginServer server(**service, "imap", std::string(kImapRefusal), make_client);
    server.use_backend_tls(std::move(backend_tls));
    return (*service)->run();
}
