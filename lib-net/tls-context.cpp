#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>

#include "lib-net/tls-error.h"
#include "lib-net/tls-material.h"
#include "lib-net/tls.h"

namespace culver {
namespace {

// Certificates and CRLs in any order.
Status use_client_ca(SSL_CTX* context, const TlsServerOptions& options) {
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    TRY(use_authorities(store, options.client_ca, "ssl_ca",
                        [context](X509* authority) { SSL_CTX_add_client_CA(context, authority); }));
    // Always looked at; on_verify() forgives a missing one where ssl_require_crl = no.
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    // A resumed session is not verified again: what was revoked meanwhile would go on.
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    return {};
}

bool is_about_missing_crl(int error) {
    return error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_CRL_HAS_EXPIRED ||
           error == X509_V_ERR_CRL_NOT_YET_VALID || error == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER;
}

Status configure(SSL_CTX* context, const TlsServerOptions& options) {
    TRY(use_parameters(context,
                       {options.min_protocol, options.cipher_list, options.cipher_suites, options.curve_list}));
    if (!options.dh.empty()) TRY(use_dh(context, options.dh));
    TRY(use_certificate(context, options.certificate, "ssl_cert"));
    TRY(use_key(context, options.key, options.key_password, "ssl_key"));
    if (!options.alt_certificate.empty()) {
        TRY(use_certificate(context, options.alt_certificate, "ssl_alt_cert"));
        TRY(use_key(context, options.alt_key, options.key_password, "ssl_alt_key"));
    }
    if (!options.client_ca.empty()) TRY(use_client_ca(context, options));
    return {};
}

}  // namespace

bool TlsServerOptions::operator==(const TlsServerOptions& other) const {
    return certificate == other.certificate && key.equals(other.key.reveal()) &&
           key_password.equals(other.key_password.reveal()) && alt_certificate == other.alt_certificate &&
           alt_key.equals(other.alt_key.reveal()) && min_protocol == other.min_protocol &&
           cipher_list == other.cipher_list && cipher_suites == other.cipher_suites && curve_list == other.curve_list &&
           dh == other.dh && prefer_server_ciphers == other.prefer_server_ciphers && client_ca == other.client_ca &&
           require_crl == other.require_crl && cert_username_field == other.cert_username_field;
}

Result<std::shared_ptr<TlsContext>> TlsContext::create(const TlsServerOptions& options) {
    ERR_clear_error();
    std::shared_ptr<TlsContext> result(new TlsContext);
    SSL_CTX* context = result->context_ = SSL_CTX_new(TLS_server_method());
    if (!context) return fail(ErrorCode::Internal, "SSL_CTX_new() failed: " + tls_error_text());
    std::uint64_t flags =
        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE;
    if (options.prefer_server_ciphers) flags |= SSL_OP_CIPHER_SERVER_PREFERENCE;
    SSL_CTX_set_options(context, flags);
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets: the client keeps its session
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_read_ahead(context, 1);  // a record with one recv(2) where OpenSSL would take two
    static constexpr unsigned char kSessionContext[] = "culver";
    SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
    SSL_CTX_set_tlsext_servername_callback(context, &TlsContext::on_server_name);
    SSL_CTX_set_tlsext_servername_arg(context, result.get());
    TRY(configure(context, options));
    result->requires_crl_ = options.require_crl;
    result->username_field_ = OBJ_txt2nid(options.cert_username_field.c_str());
    if (result->username_field_ == NID_undef)
        return wrong_tls_setting("Invalid cert_username_field: " + options.cert_username_field);
    if (!options.client_ca.empty())
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, &TlsContext::on_verify);
    return result;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

int TlsContext::on_server_name(ssl_st* ssl, int*, void* self) {
    auto* context = static_cast<TlsContext*>(self);
    auto* stream = static_cast<TlsStream*>(SSL_get_app_data(ssl));
    if (!context->choose_ || !stream) return SSL_TLSEXT_ERR_OK;
    const std::string name = stream->server_name();
    if (name.empty()) return SSL_TLSEXT_ERR_OK;
    if (auto other = context->choose_(name)) {
        SSL_set_SSL_CTX(ssl, other->context_);
        // Not taken over by itself: whether a certificate is asked for.
        SSL_set_verify(ssl, SSL_CTX_get_verify_mode(other->context_), SSL_CTX_get_verify_callback(other->context_));
        SSL_set_options(ssl, SSL_CTX_get_options(other->context_) & SSL_OP_NO_TICKET);
        stream->context_.swap(other);  // the former one lives until this callback ends
    }
    return SSL_TLSEXT_ERR_OK;
}

// Called for each certificate of the chain and each problem of it. The handshake goes on; the first problem is kept.
int TlsContext::on_verify(int ok, x509_store_ctx_st* store) {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* stream = ssl ? static_cast<TlsStream*>(SSL_get_app_data(ssl)) : nullptr;
    if (!stream) return 0;
    stream->certificate_verified_ = true;
    if (ok) return 1;
    const int error = X509_STORE_CTX_get_error(store);
    if (!stream->context_->requires_crl_ && is_about_missing_crl(error)) return 1;
    if (stream->certificate_problem_.empty())
        stream->certificate_problem_ = std::string(X509_verify_cert_error_string(error)) + ": " +
                                       subject_of(X509_STORE_CTX_get_current_cert(store));
    return 1;
}

}  // namespace culver
