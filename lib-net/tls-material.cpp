#include "lib-net/tls-material.h"

#include <openssl/bio.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>

#include "lib-net/tls-error.h"

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

int give_password(char* buffer, int size, int, void* secret) {
    const std::string_view password = static_cast<const SecretString*>(secret)->reveal();
    if (password.size() > static_cast<std::size_t>(size)) return -1;
    std::copy(password.begin(), password.end(), buffer);
    return static_cast<int>(password.size());
}

struct FreeInfos {
    void operator()(STACK_OF(X509_INFO) * infos) const { sk_X509_INFO_pop_free(infos, X509_INFO_free); }
};

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
    return wrong_tls_setting("ssl_min_protocol: '" + min_protocol +
                             "' is not one of ANY, TLSv1, TLSv1.1, TLSv1.2, TLSv1.3, LATEST");
}

}  // namespace

std::unexpected<Error> wrong_tls_setting(std::string text) { return fail(ErrorCode::InvalidArgument, std::move(text)); }

Status use_certificate(SSL_CTX* context, const std::string& pem, const char* setting) {
    auto bio = memory_bio(pem);
    Certificate own(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
    if (!own || SSL_CTX_use_certificate(context, own.get()) != 1)
        return wrong_tls_setting(std::string("Can't load SSL certificate (") + setting +
                                 " setting): " + tls_error_text());
    SSL_CTX_clear_chain_certs(context);
    while (Certificate next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
        if (SSL_CTX_add0_chain_cert(context, next.get()) != 1)
            return wrong_tls_setting(std::string("Can't load SSL certificate (") + setting +
                                     " setting): " + tls_error_text());
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
        return wrong_tls_setting(prefix + (password.empty() ? "is it encrypted? set ssl_key_password: " : "") +
                                 tls_error_text());
    if (SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1) return {};
    const auto reason = ERR_GET_REASON(ERR_peek_error());
    if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH) {
        ERR_clear_error();
        return wrong_tls_setting(prefix + "Key is for a different cert than " +
                                 (setting[4] == 'a' ? "ssl_alt_cert" : "ssl_cert"));
    }
    return wrong_tls_setting(prefix + tls_error_text());
}

Status use_dh(SSL_CTX* context, const std::string& pem) {
    auto bio = memory_bio(pem);
    PrivateKey parameters(PEM_read_bio_Parameters(bio.get(), nullptr));
    if (!parameters) return wrong_tls_setting("Can't load DH parameters (ssl_dh setting): " + tls_error_text());
    if (SSL_CTX_set0_tmp_dh_pkey(context, parameters.get()) != 1)
        return wrong_tls_setting("Can't use DH parameters (ssl_dh setting): " + tls_error_text());
    parameters.release();
    return {};
}

Status use_parameters(SSL_CTX* context, const TlsParameters& parameters) {
    TRY(use_versions(context, parameters.min_protocol));
    if (!parameters.cipher_list.empty() && SSL_CTX_set_cipher_list(context, parameters.cipher_list.c_str()) != 1)
        return wrong_tls_setting("ssl_cipher_list: no usable cipher in '" + parameters.cipher_list +
                                 "': " + tls_error_text());
    if (!parameters.cipher_suites.empty() && SSL_CTX_set_ciphersuites(context, parameters.cipher_suites.c_str()) != 1)
        return wrong_tls_setting("ssl_cipher_suites: " + tls_error_text());
    if (!parameters.curve_list.empty() && SSL_CTX_set1_groups_list(context, parameters.curve_list.c_str()) != 1)
        return wrong_tls_setting("ssl_curve_list: '" + parameters.curve_list + "': " + tls_error_text());
    return {};
}

// Certificates and CRLs in any order.
Result<int> use_authorities(X509_STORE* store, const std::string& pem, const char* setting,
                            const std::function<void(X509*)>& each) {
    auto bio = memory_bio(pem);
    std::unique_ptr<STACK_OF(X509_INFO), FreeInfos> infos(PEM_X509_INFO_read_bio(bio.get(), nullptr, nullptr, nullptr));
    if (!infos)
        return wrong_tls_setting(std::string("Can't load CA certificates (") + setting +
                                 " setting): " + tls_error_text());
    int authorities = 0;
    for (int i = 0; i < sk_X509_INFO_num(infos.get()); ++i) {
        const X509_INFO* info = sk_X509_INFO_value(infos.get(), i);
        if (info->crl && X509_STORE_add_crl(store, info->crl) != 1)
            return wrong_tls_setting(std::string("Can't load a CRL (") + setting + " setting): " + tls_error_text());
        if (!info->x509 || X509_STORE_add_cert(store, info->x509) != 1) continue;
        if (each) each(info->x509);
        ++authorities;
    }
    ERR_clear_error();
    if (authorities == 0) return wrong_tls_setting(std::string(setting) + " holds no certificate");
    return authorities;
}

std::string subject_of(X509* certificate) {
    char line[256] = {};
    if (certificate) X509_NAME_oneline(X509_get_subject_name(certificate), line, sizeof line);
    return line;
}

}  // namespace culver
