#include "lib-net/tls.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include "lib-net/socket.h"

namespace culver {
namespace {

std::string bio_text(BIO* bio) {
    char* data;
    const long size = BIO_get_mem_data(bio, &data);
    return std::string(data, static_cast<std::size_t>(size));
}

struct Pair {
    std::string certificate, key;
};

// A self-signed certificate with a P-256 key.
Pair make_pair(const char* name) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_sign(certificate, key, EVP_sha256());
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

TlsServerOptions options_for(const Pair& pair) {
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
bool shake_hands(TlsStream& server, Client& client) {
    bool client_done = false;
    for (int i = 0; i < 20; ++i) {
        client_done = client_done || client.connect();
        const TlsStep step = server.handshake();
        if (step == TlsStep::Failed || step == TlsStep::Closed) return false;
        if (step == TlsStep::Done && client_done) return true;
    }
    return false;
}

TEST(Tls, BytesGoBothWaysAndTheEndIsSeen) {
    auto context = TlsContext::create(options_for(make_pair("a.test")));
    ASSERT_TRUE(context) << context.error().detail;
    auto pair = socket_pair(SOCK_STREAM, Blocking::No);
    TlsStream server(*context, pair->first.get());
    Client client(pair->second.get(), "a.test");
    ASSERT_TRUE(shake_hands(server, client));
    EXPECT_EQ(server.server_name(), "a.test");
    EXPECT_TRUE(server.description().starts_with("TLSv1.3 with cipher "));
    EXPECT_EQ(SSL_write(client.native(), "hello", 5), 5);
    char buffer[100];
    std::size_t got = 0;
    ASSERT_EQ(server.read(buffer, sizeof buffer, &got), TlsStep::Done);
    EXPECT_EQ(std::string(buffer, got), "hello");
    EXPECT_EQ(server.read(buffer, sizeof buffer, &got), TlsStep::WantRead);
    std::size_t taken = 0;
    ASSERT_EQ(server.write("world", &taken), TlsStep::Done);
    EXPECT_EQ(SSL_read(client.native(), buffer, sizeof buffer), 5);
    SSL_shutdown(client.native());
    EXPECT_EQ(server.read(buffer, sizeof buffer, &got), TlsStep::Closed);
}

TEST(Tls, TheNameThatTheClientAsksForChoosesTheCertificate) {
    auto first = TlsContext::create(options_for(make_pair("a.test")));
    auto second = TlsContext::create(options_for(make_pair("b.test")));
    ASSERT_TRUE(first && second);
    (*first)->choose_by_name([&](const std::string& name) { return name == "b.test" ? *second : nullptr; });
    for (auto [asked, expected] : {std::pair("b.test", "b.test"), {"B.TEST", "b.test"}, {"c.test", "a.test"}}) {
        auto pair = socket_pair(SOCK_STREAM, Blocking::No);
        TlsStream server(*first, pair->first.get());
        Client client(pair->second.get(), asked);
        ASSERT_TRUE(shake_hands(server, client));
        EXPECT_EQ(client.peer_name(), expected);
    }
}

TEST(Tls, OldVersionsAndPlainTextFailWithAnError) {
    auto context = TlsContext::create(options_for(make_pair("a.test")));
    auto pair = socket_pair(SOCK_STREAM, Blocking::No);
    TlsStream server(*context, pair->first.get());
    Client client(pair->second.get(), nullptr, TLS1_1_VERSION);
    EXPECT_FALSE(shake_hands(server, client));

    auto plain = socket_pair(SOCK_STREAM, Blocking::No);
    TlsStream other(*context, plain->first.get());
    ASSERT_GT(::send(plain->second.get(), "a LOGIN bob secret\r\n", 20, 0), 0);
    EXPECT_EQ(other.handshake(), TlsStep::Failed);
    EXPECT_TRUE(other.error().starts_with("SSL_accept() failed: error:")) << other.error();
}

TEST(Tls, WhatIsWrongWithTheSettingsIsNamed) {
    const Pair a = make_pair("a.test"), b = make_pair("b.test");
    struct {
        const char* what;
        std::function<void(TlsServerOptions&)> change;
        const char* text;
    } cases[] = {
        {"other key", [&](TlsServerOptions& o) { o.key = SecretString(b.key); },
         "Can't load SSL private key (ssl_key setting): Key is for a different cert than ssl_cert"},
        {"no certificate", [](TlsServerOptions& o) { o.certificate = "rubbish"; }, "Can't load SSL certificate (ssl_cert setting)"},
        {"no key", [](TlsServerOptions& o) { o.key = SecretString("rubbish"); }, "Can't load SSL private key (ssl_key setting)"},
        {"version", [](TlsServerOptions& o) { o.min_protocol = "SSLv9"; }, "ssl_min_protocol: 'SSLv9'"},
        {"ciphers", [](TlsServerOptions& o) { o.cipher_list = "NOSUCH"; }, "ssl_cipher_list"},
        {"curves", [](TlsServerOptions& o) { o.curve_list = "NOSUCH"; }, "ssl_curve_list"},
        {"dh", [](TlsServerOptions& o) { o.dh = "rubbish"; }, "ssl_dh"},
        {"ca", [](TlsServerOptions& o) { o.client_ca = "rubbish"; }, "ssl_ca"},
        {"user name field", [](TlsServerOptions& o) { o.cert_username_field = "nonsense"; }, "Invalid cert_username_field: nonsense"},
    };
    for (auto& c : cases) {
        TlsServerOptions options = options_for(a);
        c.change(options);
        auto context = TlsContext::create(options);
        ASSERT_FALSE(context) << c.what;
        EXPECT_NE(context.error().detail.find(c.text), std::string::npos) << context.error().detail;
    }
}

}  // namespace
}  // namespace culver
