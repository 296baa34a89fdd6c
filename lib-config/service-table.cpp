// The services that exist without being configured, with their listeners.
//
// As Dovecot 2.3 has them, but for these: one imap worker serves many sessions (client_limit 1000, service_count 0), the
// login processes serve many connections each (service_count 0), and one lmtp process takes all connections.
#include "lib-config/setting-spec.h"

namespace culver {

const std::vector<ServiceDefault>& service_defaults() {
    using enum BlockKind;
    static constexpr std::string_view kUser = "$default_internal_user", kGroup = "$default_internal_group",
                                      kLogin = "$default_login_user";
    static const std::vector<ServiceDefault> services = {
        {"aggregator", {{"chroot", "."}, {"executable", "aggregator"}, {"user", kUser}},
         {{FifoListener, "replication-notify-fifo"}, {UnixListener, "replication-notify"}}},
        {"anvil", {{"chroot", "empty"}, {"executable", "anvil"}, {"idle_kill", "4294967295 secs"}, {"process_limit", "1"}, {"process_min_avail", "1"}, {"type", "anvil"}, {"user", kUser}},
         {{UnixListener, "anvil-auth-penalty"}, {UnixListener, "anvil"}}},
        {"auth-worker", {{"client_limit", "1"}, {"executable", "auth -w"}, {"type", "worker"}},
         {{UnixListener, "auth-worker", "", kUser}}},
        {"auth", {{"executable", "auth"}, {"process_limit", "1"}, {"user", kUser}},
         {{UnixListener, "auth-client", "", kUser}, {UnixListener, "auth-login", "", kUser}, {UnixListener, "auth-master"}, {UnixListener, "auth-userdb", "0666", kUser}, {UnixListener, "login/login", "0666"}, {UnixListener, "token-login/tokenlogin", "0666"}}},
        {"config", {{"executable", "config"}, {"idle_kill", "4294967295 secs"}, {"type", "config"}},
         {{UnixListener, "config"}}},
        {"dict-async", {{"executable", "dict"}, {"user", kUser}},
         {{UnixListener, "dict-async", "0660", "", kGroup}}},
        {"dict", {{"client_limit", "1"}, {"executable", "dict"}, {"user", kUser}},
         {{UnixListener, "dict", "0660", "", kGroup}}},
        {"director", {{"chroot", "."}, {"executable", "director"}, {"idle_kill", "4294967295 secs"}, {"process_limit", "1"}, {"user", kUser}},
         {{FifoListener, "login/proxy-notify", "00"}, {UnixListener, "director-admin"}, {UnixListener, "login/director", "00"}}},
        {"dns-client", {{"client_limit", "1"}, {"executable", "dns-client"}, {"user", kUser}},
         {{UnixListener, "dns-client", "0666"}, {UnixListener, "login/dns-client", "0666"}}},
        {"doveadm", {{"client_limit", "1"}, {"executable", "doveadm-server"}, {"extra_groups", kGroup}, {"service_count", "1"}},
         {{UnixListener, "doveadm-server"}}},
        {"health-check", {{"client_limit", "1"}, {"drop_priv_before_exec", "yes"}, {"executable", "script -p health-check.sh"}, {"user", kUser}},
         {}},
        {"imap-hibernate", {{"executable", "imap-hibernate"}, {"protocol", "imap"}, {"user", kUser}},
         {{UnixListener, "imap-hibernate", "0660", "", kGroup}}},
        {"imap-login", {{"chroot", "login"}, {"executable", "imap-login"}, {"protocol", "imap"}, {"type", "login"}, {"user", kLogin}},
         {{InetListener, "imap", "", "", "", "143"}, {InetListener, "imaps", "", "", "", "993", true}}},
        {"imap-urlauth-login", {{"chroot", "token-login"}, {"executable", "imap-urlauth-login"}, {"protocol", "imap"}, {"type", "login"}, {"user", kLogin}},
         {{UnixListener, "imap-urlauth", "0666"}}},
        {"imap-urlauth-worker", {{"client_limit", "1"}, {"executable", "imap-urlauth-worker"}, {"extra_groups", kGroup}, {"process_limit", "1024"}, {"protocol", "imap"}, {"service_count", "1"}},
         {{UnixListener, "imap-urlauth-worker", "", kUser}}},
        {"imap-urlauth", {{"client_limit", "1"}, {"executable", "imap-urlauth"}, {"process_limit", "1024"}, {"protocol", "imap"}, {"service_count", "1"}, {"user", kUser}},
         {{UnixListener, "token-login/imap-urlauth", "0666"}}},
        {"imap", {{"client_limit", "1000"}, {"executable", "imap"}, {"extra_groups", kGroup}, {"process_limit", "1024"}, {"protocol", "imap"}},
         {{UnixListener, "imap-master"}, {UnixListener, "login/imap", "0666"}}},
        {"indexer-worker", {{"client_limit", "1"}, {"executable", "indexer-worker"}, {"extra_groups", kGroup}, {"process_limit", "10"}, {"type", "worker"}},
         {{UnixListener, "indexer-worker", "", kUser}}},
        {"indexer", {{"executable", "indexer"}, {"process_limit", "1"}, {"user", kUser}},
         {{UnixListener, "indexer", "0666"}}},
        {"ipc", {{"chroot", "empty"}, {"executable", "ipc"}, {"process_limit", "1"}, {"user", kUser}},
         {{UnixListener, "ipc", "", kUser}, {UnixListener, "login/ipc-proxy", "", kLogin}}},
        {"lmtp", {{"executable", "lmtp"}, {"extra_groups", kGroup}, {"protocol", "lmtp"}},
         {{UnixListener, "lmtp", "0666"}}},
        {"log", {{"executable", "log"}, {"idle_kill", "4294967295 secs"}, {"process_limit", "1"}, {"type", "log"}},
         {{UnixListener, "log-errors"}}},
        {"managesieve-login", {{"chroot", "login"}, {"executable", "managesieve-login"}, {"protocol", "sieve"}, {"type", "login"}, {"user", kLogin}},
         {{InetListener, "sieve", "", "", "", "4190"}}},
        {"managesieve", {{"client_limit", "1"}, {"executable", "managesieve"}, {"protocol", "sieve"}, {"service_count", "1"}},
         {{UnixListener, "login/sieve", "0666"}}},
        {"old-stats", {{"chroot", "empty"}, {"executable", "old-stats"}, {"idle_kill", "4294967295 secs"}, {"process_limit", "1"}, {"user", kUser}},
         {{FifoListener, "old-stats-mail"}, {FifoListener, "old-stats-user"}, {UnixListener, "old-stats"}}},
        {"pop3-login", {{"chroot", "login"}, {"executable", "pop3-login"}, {"protocol", "pop3"}, {"type", "login"}, {"user", kLogin}},
         {{InetListener, "pop3", "", "", "", "110"}, {InetListener, "pop3s", "", "", "", "995", true}}},
        {"pop3", {{"client_limit", "1"}, {"executable", "pop3"}, {"extra_groups", kGroup}, {"process_limit", "1024"}, {"protocol", "pop3"}, {"service_count", "1"}},
         {{UnixListener, "login/pop3", "0666"}}},
        {"replicator", {{"executable", "replicator"}, {"idle_kill", "4294967295 secs"}, {"process_limit", "1"}},
         {{UnixListener, "replicator-doveadm", "00", kUser}, {UnixListener, "replicator", "", kUser}}},
        {"stats", {{"executable", "stats"}, {"idle_kill", "4294967295 secs"}, {"process_limit", "1"}, {"user", kUser}},
         {{UnixListener, "login/stats-writer", "", kLogin}, {UnixListener, "stats-reader"}, {UnixListener, "stats-writer", "0660", "", kGroup}}},
        {"submission-login", {{"chroot", "login"}, {"executable", "submission-login"}, {"protocol", "submission"}, {"type", "login"}, {"user", kLogin}},
         {{InetListener, "submission", "", "", "", "587"}}},
        {"submission", {{"client_limit", "1"}, {"executable", "submission"}, {"extra_groups", kGroup}, {"process_limit", "1024"}, {"protocol", "submission"}, {"service_count", "1"}},
         {{UnixListener, "login/submission", "0666"}}},
        {"tcpwrap", {{"client_limit", "1"}, {"executable", "tcpwrap"}, {"user", kUser}},
         {}},
    };
    return services;
}

}  // namespace culver
