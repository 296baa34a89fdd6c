// Certificates made on the spot, and OpenSSL's own client at the other end of a TlsStream.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <initializer_list>
#include <string>

#include "lib-net/socket.h"
#include "lib-net/tls.h"

namespace culver {

inline std::string bio_text(BIO* bio) {
    char* data;
    const long size = BIO_get_mem_data(bio, &data);
    return std::string(data, static_cast<std::size_t>(size));
}

struct Pair {
    std::string certificate, key;
};

struct Subject {
    std::string common_name, email = {};
    const Pair* issuer = nullptr;  // null: signed by itself
    long starts = 0, ends = 3600;  // seconds from now
    const char* key_type = "EC";
    bool may_sign = false;
};

inline EVP_PKEY* read_key(const Pair& pair) {
    BIO* bio = BIO_new_mem_buf(pair.key.data(), static_cast<int>(pair.key.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return key;
}
inline X509* read_certificate(const Pair& pair) {
    BIO* bio = BIO_new_mem_buf(pair.certificate.data(), static_cast<int>(pair.certificate.size()));
    X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return certificate;
}

inline void add_name(X509* certificate, const char* field, const std::string& text) {
    if (!text.empty())
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), field, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()),
                                   -1, 0);
}

inline Pair issue(const Subject& subject) {
    static long serial = 1;
    const std::string type = subject.key_type;
    EVP_PKEY* key = type == "RSA"  ? EVP_RSA_gen(2048)
                    : type == "EC" ? EVP_EC_gen("P-256")
                                   : EVP_PKEY_Q_keygen(nullptr, nullptr, type.c_str());
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), subject.starts);
    X509_gmtime_adj(X509_getm_notAfter(certificate), subject.ends);
    X509_set_pubkey(certificate, key);
    add_name(certificate, "CN", subject.common_name);
    add_name(certificate, "emailAddress", subject.email);
    X509_EXTENSION* basic = X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints,
                                                subject.may_sign ? "critical,CA:TRUE" : "CA:FALSE");
    X509_add_ext(certificate, basic, -1);
    X509_EXTENSION_free(basic);
    if (subject.issuer) {
        X509* issuer = read_certificate(*subject.issuer);
        EVP_PKEY* issuer_key = read_key(*subject.issuer);
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
        X509_sign(certificate, issuer_key, EVP_sha256());
        X509_free(issuer);
        EVP_PKEY_free(issuer_key);
    } else {
        X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
        X509_sign(certificate, key, type == "ED25519" ? nullptr : EVP_sha256());
    }
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    Pair pair;
    pair.certificate = bio_text(bio);
    BIO_free(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    pair.key = bio_text(bio);
    BIO_free(bio);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return pair;
}

// A self-signed certificate with a P-256 key.
inline Pair make_pair(const char* name) { return issue({.common_name = name}); }

// The issuer's list of revoked certificates.
inline std::string crl_of(const Pair& issuer, std::initializer_list<const Pair*> revoked) {
    X509* certificate = read_certificate(issuer);
    EVP_PKEY* key = read_key(issuer);
    X509_CRL* crl = X509_CRL_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(certificate));
    ASN1_TIME* when = X509_gmtime_adj(nullptr, 0);
    X509_CRL_set1_lastUpdate(crl, when);
    X509_gmtime_adj(when, 3600);
    X509_CRL_set1_nextUpdate(crl, when);
    X509_gmtime_adj(when, 0);
    for (const Pair* pair : revoked) {
        X509* one = read_certificate(*pair);
        X509_REVOKED* entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(one));
        X509_REVOKED_set_revocationDate(entry, when);
        X509_CRL_add0_revoked(crl, entry);
        X509_free(one);
    }
    X509_CRL_sort(crl);
    X509_CRL_sign(crl, key, EVP_sha256());
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509_CRL(bio, crl);
    std::string text = bio_text(bio);
    BIO_free(bio);
    ASN1_TIME_free(when);
    X509_CRL_free(crl);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return text;
}

inline TlsServerOptions options_for(const Pair& pair) {
    TlsServerOptions options;
    options.certificate = pair.certificate;
    options.key = SecretString(pair.key);
    return options;
}

// OpenSSL's own client on the other end of a socket pair.
class Client {
public:
    Client(int fd, const char* server_name, int max_version = 0) : context_(SSL_CTX_new(TLS_client_method())) {
        if (max_version) {
            SSL_CTX_set_min_proto_version(context_, 0);
            SSL_CTX_set_security_level(context_, 0);
            SSL_CTX_set_max_proto_version(context_, max_version);
        }
        ssl_ = SSL_new(context_);
        SSL_set_fd(ssl_, fd);
        if (server_name) SSL_set_tlsext_host_name(ssl_, server_name);
    }
    ~Client() {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
    }
    void show(const Pair& pair) {
        X509* certificate = read_certificate(pair);
        EVP_PKEY* key = read_key(pair);
        SSL_use_certificate(ssl_, certificate);
        SSL_use_PrivateKey(ssl_, key);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    bool connect() { return SSL_connect(ssl_) == 1; }
    SSL* native() { return ssl_; }
    std::string peer_name() {
        X509* peer = SSL_get1_peer_certificate(ssl_);
        char name[100] = {};
        if (peer) X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name, sizeof name);
        X509_free(peer);
        return name;
    }

private:
    SSL_CTX* context_;
    SSL* ssl_;
};

// Both sides in turn until both are done or one fails.
inline bool shake_hands(TlsStream& server, Client& client) {
    bool client_done = false;
    for (int i = 0; i < 20; ++i) {
        client_done = client_done || client.connect();
        const TlsStep step = server.handshake();
        if (step == TlsStep::Failed || step == TlsStep::Closed) return false;
        if (step == TlsStep::Done && client_done) return true;
    }
    return false;
}

}  // namespace culver
