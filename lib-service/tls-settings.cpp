#include "lib-service/tls-settings.h"

namespace culver {

TlsServerOptions tls_server_options(const Settings& settings) {
    TlsServerOptions options;
    options.certificate = settings.string("ssl_cert");
    options.key = SecretString(settings.string("ssl_key"));
    options.key_password = SecretString(settings.string("ssl_key_password"));
    options.alt_certificate = settings.string("ssl_alt_cert");
    options.alt_key = SecretString(settings.string("ssl_alt_key"));
    options.min_protocol = settings.string("ssl_min_protocol");
    options.cipher_list = settings.string("ssl_cipher_list");
    options.cipher_suites = settings.string("ssl_cipher_suites");
    options.curve_list = settings.string("ssl_curve_list");
    options.dh = settings.string("ssl_dh");
    options.prefer_server_ciphers = settings.boolean("ssl_prefer_server_ciphers");
    return options;
}

}  // namespace culver
