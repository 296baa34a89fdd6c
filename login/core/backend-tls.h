// BackendTls: TLS for the connections of a login process to backends.
//
// A login process in its sandbox can open no file any more: the authorities are read once, at the start. A change in
// ssl_client_ca_file or ssl_client_ca_dir needs a restart.
#pragma once

#include <memory>
#include <string>

#include "lib-config/settings.h"
#include "lib-net/tls.h"
#include "login/core/proxy-target.h"

namespace culver {

class BackendTls {
public:
    // Reads ssl_client_ca_file and every file of ssl_client_ca_dir. What cannot be read is an error in the log, and
    // then no certificate is good. Makes the context now, so that OpenSSL has loaded what it needs.
    static BackendTls load(const Settings& settings);
    // Without authorities.
    BackendTls() = default;

    // For a connected socket, which stays the caller's. The Error's detail names the setting that is wrong.
    Result<std::unique_ptr<TlsStream>> start(int fd, const ProxyTarget& target);

private:
    TlsClientOptions options_;
    std::shared_ptr<TlsContext> context_;  // made when it is first needed
};

}  // namespace culver
