#include <openssl/bio.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "lib-base/text.h"
#include "lib-net/tls-error.h"
#include "lib-net/tls.h"

namespace culver {
namespace {

template <auto Free>
struct Deleter {
    template <typename T>
    void operator()(T* pointer) const {
        Free(pointer);
    }
};
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

Bio memory_bio(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::unexpected<Error> wrong(std::string text) { return fail(ErrorCode::InvalidArgument, std::move(text)); }

int give_password(char* buffer, int size, int, void* secret) {
    const std::string_view password = static_cast<const SecretString*>(secret)->reveal();
    if (password.size() > static_cast<std::size_t>(size)) return -1;
    std::copy(password.begin(), password.end(), buffer);
    return static_cast<int>(password.size());
}

Status use_certificate(SSL_CTX* context, const std::string& pem, const char* setting) {
    auto bio = memory_bio(pem);
    Certificate own(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
    if (!own || SSL_CTX_use_certificate(context, own.get()) != 1)
        return wrong(std::string("Can't load SSL certificate (") + setting + " setting): " + tls_error_text());
    SSL_CTX_clear_chain_certs(context);
    while (Certificate next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
        if (SSL_CTX_add0_chain_cert(context, next.get()) != 1)
            return wrong(std::string("Can't load SSL certificate (") + setting + " setting): " + tls_error_text());
        next.release();
    }
    ERR_clear_error();  // the end of the file
    return {};
}

Status use_key(SSL_CTX* context, const SecretString& pem, const SecretString& password, const char* setting) {
    auto bio = memory_bio(pem.reveal());
    PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, give_password, const_cast<SecretString*>(&password)));
    const std::string prefix = std::string("Can't load SSL private key (") + setting + " setting): ";
    if (!key)
        return wrong(prefix + (password.empty() ? "is it encrypted? set ssl_key_password: " : "") + tls_error_text());
    if (SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1) return {};
    const auto reason = ERR_GET_REASON(ERR_peek_error());
    if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH) {
        ERR_clear_error();
        return wrong(prefix + "Key is for a different cert than " + (setting[4] == 'a' ? "ssl_alt_cert" : "ssl_cert"));
    }
    return wrong(prefix + tls_error_text());
}

Status use_versions(SSL_CTX* context, const std::string& min_protocol) {
    static constexpr std::pair<std::string_view, int> kVersions[] = {
        {"ANY", 0},
        {"TLSv1", TLS1_VERSION},
        {"TLSv1.0", TLS1_VERSION},
        {"TLSv1.1", TLS1_1_VERSION},
        {"TLSv1.2", TLS1_2_VERSION},
        {"TLSv1.3", TLS1_3_VERSION},
        {"LATEST", TLS1_3_VERSION},
    };
    for (auto [name, version] : kVersions) {
        if (name == min_protocol && SSL_CTX_set_min_proto_version(context, version) == 1) return {};
    }
    return wrong("ssl_min_protocol: '" + min_protocol +
                 "' is not one of ANY, TLSv1, TLSv1.1, TLSv1.2, TLSv1.3, LATEST");
}

Status use_dh(SSL_CTX* context, const std::string& pem) {
    auto bio = memory_bio(pem);
    PrivateKey parameters(PEM_read_bio_Parameters(bio.get(), nullptr));
    if (!parameters) return wrong("Can't load DH parameters (ssl_dh setting): " + tls_error_text());
    if (SSL_CTX_set0_tmp_dh_pkey(context, parameters.get()) != 1)
        return wrong("Can't use DH parameters (ssl_dh setting): " + tls_error_text());
    parameters.release();
    return {};
}

struct FreeInfos {
    void operator()(STACK_OF(X509_INFO) * infos) const { sk_X509_INFO_pop_free(infos, X509_INFO_free); }
};

// Certificates and CRLs in any order.
Status use_client_ca(SSL_CTX* context, const TlsServerOptions& options) {
    auto bio = memory_bio(options.client_ca);
    std::unique_ptr<STACK_OF(X509_INFO), FreeInfos> infos(PEM_X509_INFO_read_bio(bio.get(), nullptr, nullptr, nullptr));
    if (!infos) return wrong("Can't load CA certificates (ssl_ca setting): " + tls_error_text());
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    int authorities = 0;
    for (int i = 0; i < sk_X509_INFO_num(infos.get()); ++i) {
        const X509_INFO* info = sk_X509_INFO_value(infos.get(), i);
        if (info->crl && X509_STORE_add_crl(store, info->crl) != 1)
            return wrong("Can't load a CRL (ssl_ca setting): " + tls_error_text());
        if (info->x509 && X509_STORE_add_cert(store, info->x509) == 1 &&
            SSL_CTX_add_client_CA(context, info->x509) == 1)
            ++authorities;
    }
    ERR_clear_error();
    if (authorities == 0) return wrong("ssl_ca holds no certificate");
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

// One line; X509_NAME_oneline() writes other than printable ASCII as \xNN.
std::string subject_of(X509* certificate) {
    char line[256] = {};
    if (certificate) X509_NAME_oneline(X509_get_subject_name(certificate), line, sizeof line);
    return line;
}

Status configure(SSL_CTX* context, const TlsServerOptions& options) {
    TRY(use_versions(context, options.min_protocol));
    if (!options.cipher_list.empty() && SSL_CTX_set_cipher_list(context, options.cipher_list.c_str()) != 1)
        return wrong("ssl_cipher_list: no usable cipher in '" + options.cipher_list + "': " + tls_error_text());
    if (!options.cipher_suites.empty() && SSL_CTX_set_ciphersuites(context, options.cipher_suites.c_str()) != 1)
        return wrong("ssl_cipher_suites: " + tls_error_text());
    if (!options.curve_list.empty() && SSL_CTX_set1_groups_list(context, options.curve_list.c_str()) != 1)
        return wrong("ssl_curve_list: '" + options.curve_list + "': " + tls_error_text());
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
        return wrong("Invalid cert_username_field: " + options.cert_username_field);
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
