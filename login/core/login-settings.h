// What a login process needs to know of the settings for one connection.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "lib-base/result.h"
#include "lib-config/settings.h"
#include "lib-net/ip-address.h"
#include "lib-net/tls.h"

namespace culver {

enum class TlsPolicy { No, Yes, Required };

// From the accept, as with Dovecot: neither the TLS handshake nor anything a client says extends it. Long enough for
// somebody who is asked for his password only now.
inline constexpr std::chrono::seconds kLoginTime{180};

struct LoginSettings {
    std::shared_ptr<const Settings> view;  // shared by every connection with the same filters
    TlsPolicy tls = TlsPolicy::Yes;
    bool disable_plaintext_auth = true, verbose_ssl = false, auth_verbose = false;
    bool requires_client_cert = false, takes_username_from_cert = false;
    std::string greeting, log_format, log_format_elements;
    std::vector<IpNetwork> trusted_networks;
    std::chrono::milliseconds login_time = kLoginTime;

    static LoginSettings from(std::shared_ptr<const Settings> view);
    bool is_trusted(const IpAddress& remote) const;
};

// The TLS context of a view. Contexts are kept per distinct set of ssl_ settings, so that neither many names of clients
// nor many connections cost memory; a set that does not work keeps its error. One thread.
class TlsContexts {
public:
    // `protocol` for the views of names (local_name).
    explicit TlsContexts(std::string protocol) : protocol_(std::move(protocol)) {}
    Result<std::shared_ptr<TlsContext>> find(const std::shared_ptr<const Settings>& view);
    // After a reload: everything is read again.
    void clear() { entries_.clear(); }

private:
    struct Entry {
        TlsServerOptions options;
        Result<std::shared_ptr<TlsContext>> context;
    };
    std::shared_ptr<TlsContext> for_name(const std::shared_ptr<const Settings>& view, const std::string& name);
    Result<std::shared_ptr<TlsContext>> find_options(TlsServerOptions options);
    std::string protocol_;
    std::vector<Entry> entries_;
};

// Whether a local_name label covers `name`: one or several names, each may begin with "*.".
bool local_name_matches(std::string_view label, std::string_view name);

}  // namespace culver
