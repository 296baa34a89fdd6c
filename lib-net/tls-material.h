// What contexts of servers and of clients are made of: certificates, keys, parameters. Inside of lib-net only.
#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <string>

#include "lib-base/result.h"
#include "lib-base/secret-string.h"

namespace culver {

std::unexpected<Error> wrong_tls_setting(std::string text);

// PEM: the certificate, then its chain. `setting` names it in errors.
Status use_certificate(SSL_CTX* context, const std::string& pem, const char* setting);
Status use_key(SSL_CTX* context, const SecretString& pem, const SecretString& password, const char* setting);
Status use_dh(SSL_CTX* context, const std::string& pem);

struct TlsParameters {
    const std::string &min_protocol, &cipher_list, &cipher_suites, &curve_list;
};
Status use_parameters(SSL_CTX* context, const TlsParameters& parameters);

// Certificates and CRLs of PEM into `store`; how many certificates. `each`, if any, sees each of them.
Result<int> use_authorities(X509_STORE* store, const std::string& pem, const char* setting,
                            const std::function<void(X509*)>& each);

// One line; other than printable ASCII is \xNN.
std::string subject_of(X509* certificate);

}  // namespace culver
