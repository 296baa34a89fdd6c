// TlsContext and TlsStream at the client's end.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib-base/assert.h"
#include "lib-net/ip-address.h"
#include "lib-net/tls-error.h"
#include "lib-net/tls-material.h"
#include "lib-net/tls.h"

namespace culver {

Result<std::shared_ptr<TlsContext>> TlsContext::create_client(const TlsClientOptions& options) {
    ERR_clear_error();
    std::shared_ptr<TlsContext> result(new TlsContext);
    SSL_CTX* context = result->context_ = SSL_CTX_new(TLS_client_method());
    if (!context) return fail(ErrorCode::Internal, "SSL_CTX_new() failed: " + tls_error_text());
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context, 1);
    TRY(use_parameters(context,
                       {options.min_protocol, options.cipher_list, options.cipher_suites, options.curve_list}));
    if (!options.authorities.empty())
        TRY(use_authorities(SSL_CTX_get_cert_store(context), options.authorities, "ssl_client_ca_*", nullptr));
    if (!options.certificate.empty()) {
        TRY(use_certificate(context, options.certificate, "ssl_client_cert"));
        TRY(use_key(context, options.key, {}, "ssl_client_key"));
    }
    return result;
}

// The first problem is kept for error(); it ends the handshake.
int TlsContext::on_verify_server(int ok, x509_store_ctx_st* store) {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* stream = ssl ? static_cast<TlsStream*>(SSL_get_app_data(ssl)) : nullptr;
    if (ok || !stream) return ok;
    if (stream->certificate_problem_.empty())
        stream->certificate_problem_ = std::string(X509_verify_cert_error_string(X509_STORE_CTX_get_error(store))) +
                                       ": " + subject_of(X509_STORE_CTX_get_current_cert(store));
    return 0;
}

std::unique_ptr<TlsStream> TlsStream::connect(std::shared_ptr<TlsContext> context, int fd, const std::string& host,
                                              PeerCheck check) {
    std::unique_ptr<TlsStream> stream(new TlsStream);
    stream->context_ = std::move(context);
    stream->is_client_ = true;
    SSL* ssl = stream->ssl_ = SSL_new(stream->context_->native());
    ASSERT(ssl && SSL_set_fd(ssl, fd) == 1);
    SSL_set_app_data(ssl, stream.get());
    SSL_set_connect_state(ssl);
    const auto address = IpAddress::parse(host);
    if (!address) SSL_set_tlsext_host_name(ssl, host.c_str());  // SNI is for names only (RFC 6066 §3)
    if (check == PeerCheck::None) return stream;
    SSL_set_verify(ssl, SSL_VERIFY_PEER, &TlsContext::on_verify_server);
    X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const int set =
        address ? X509_VERIFY_PARAM_set1_ip(wanted, reinterpret_cast<const unsigned char*>(address->bytes().data()),
                                            address->bytes().size())
                : X509_VERIFY_PARAM_set1_host(wanted, host.data(), host.size());
    ASSERT(set == 1);  // else any certificate of an authority would do
    return stream;
}

}  // namespace culver
