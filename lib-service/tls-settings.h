// The ssl_ settings of a server, for those that speak TLS with clients.
#pragma once

#include "lib-config/settings.h"
#include "lib-net/tls.h"

namespace culver {

// Certificates, keys, protocols and ciphers; nothing of client certificates.
TlsServerOptions tls_server_options(const Settings& settings);

}  // namespace culver
