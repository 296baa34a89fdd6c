#include "lib-net/tls.h"

#include <gtest/gtest.h>

#include "tests/unit/lib-net/tls-fixture.h"

namespace culver {
namespace {

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
        {"no certificate", [](TlsServerOptions& o) { o.certificate = "rubbish"; },
         "Can't load SSL certificate (ssl_cert setting)"},
        {"no key", [](TlsServerOptions& o) { o.key = SecretString("rubbish"); },
         "Can't load SSL private key (ssl_key setting)"},
        {"version", [](TlsServerOptions& o) { o.min_protocol = "SSLv9"; }, "ssl_min_protocol: 'SSLv9'"},
        {"ciphers", [](TlsServerOptions& o) { o.cipher_list = "NOSUCH"; }, "ssl_cipher_list"},
        {"curves", [](TlsServerOptions& o) { o.curve_list = "NOSUCH"; }, "ssl_curve_list"},
        {"dh", [](TlsServerOptions& o) { o.dh = "rubbish"; }, "ssl_dh"},
        {"ca", [](TlsServerOptions& o) { o.client_ca = "rubbish"; }, "ssl_ca"},
        {"user name field", [](TlsServerOptions& o) { o.cert_username_field = "nonsense"; },
         "Invalid cert_username_field: nonsense"},
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
