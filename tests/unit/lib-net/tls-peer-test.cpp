// What a server learns about the other end: client certificates, and what the channel can be bound to.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/unit/lib-net/tls-fixture.h"

namespace culver {
namespace {

struct Link {
    UniqueFd server_end, client_end;
    std::unique_ptr<TlsStream> server;
    std::unique_ptr<Client> client;

    explicit Link(const TlsServerOptions& options, const Pair* shown = nullptr, int version = 0) {
        auto context = TlsContext::create(options);
        EXPECT_TRUE(context) << context.error().detail;
        auto pair = socket_pair(SOCK_STREAM, Blocking::No);
        server_end = std::move(pair->first);
        client_end = std::move(pair->second);
        server = std::make_unique<TlsStream>(*context, server_end.get());
        client = std::make_unique<Client>(client_end.get(), nullptr, version);
        if (shown) client->show(*shown);
        EXPECT_TRUE(shake_hands(*server, *client)) << server->error();
    }
    std::string client_exporter() {
        std::string bytes(32, '\0');
        SSL_export_keying_material(client->native(), reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                   "EXPORTER-Channel-Binding", 24, nullptr, 0, 0);
        return bytes;
    }
};

class TlsPeer : public testing::Test {
protected:
    const Pair own = make_pair("server.test");
    const Pair authority = issue({.common_name = "authority", .may_sign = true});
    const Pair foreigners = issue({.common_name = "foreigners", .may_sign = true});
    const Pair alice = issue({.common_name = "alice", .email = "a@x.test", .issuer = &authority});
    const Pair revoked = issue({.common_name = "revoked", .issuer = &authority});
    const Pair expired = issue({.common_name = "old", .issuer = &authority, .starts = -100, .ends = -10});
    const Pair foreign = issue({.common_name = "foreign", .issuer = &foreigners});
    const Pair by_himself = make_pair("self");

    TlsServerOptions asking(bool with_crl = true) const {
        TlsServerOptions options = options_for(own);
        options.client_ca = authority.certificate + (with_crl ? crl_of(authority, {&revoked}) : "");
        return options;
    }
};

TEST_F(TlsPeer, OnlyAGoodCertificateIsValidAndTheHandshakeGoesOnWithAnyOther) {
    struct {
        const Pair* shown;
        ClientCertificate expected;
        std::string name, problem;
    } cases[] = {
        {nullptr, ClientCertificate::None, "", ""},
        {&alice, ClientCertificate::Valid, "alice", ""},
        {&revoked, ClientCertificate::Invalid, "", "certificate revoked: /CN=revoked"},
        {&expired, ClientCertificate::Invalid, "", "certificate has expired: /CN=old"},
        {&foreign, ClientCertificate::Invalid, "", "unable to get local issuer certificate: /CN=foreign"},
        {&by_himself, ClientCertificate::Invalid, "", "self-signed certificate: /CN=self"},
    };
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        for (const auto& c : cases) {
            Link link(asking(), c.shown, version);
            EXPECT_EQ(link.server->client_certificate(), c.expected) << c.problem;
            EXPECT_EQ(link.server->certificate_username(), c.name);
            EXPECT_EQ(link.server->certificate_problem(), c.problem);
        }
    }
    Link unasked(options_for(own), &alice);
    EXPECT_EQ(unasked.server->client_certificate(), ClientCertificate::None);
}

TEST_F(TlsPeer, WithoutAListOfRevokedOnesNoneIsValidUnlessThatIsAllowed) {
    TlsServerOptions options = asking(false);
    EXPECT_EQ(Link(options, &alice).server->client_certificate(), ClientCertificate::Invalid);
    options.require_crl = false;
    EXPECT_EQ(Link(options, &alice).server->client_certificate(), ClientCertificate::Valid);
    EXPECT_EQ(Link(options, &foreign).server->client_certificate(), ClientCertificate::Invalid);
    options = asking();
    options.require_crl = false;
    EXPECT_EQ(Link(options, &revoked).server->client_certificate(), ClientCertificate::Invalid) << "the list is there";
}

TEST_F(TlsPeer, TheNameComesFromTheConfiguredFieldOrThereIsNone) {
    TlsServerOptions options = asking();
    options.cert_username_field = "emailAddress";
    EXPECT_EQ(Link(options, &alice).server->certificate_username(), "a@x.test");
    options.cert_username_field = "x500UniqueIdentifier";
    Link link(options, &alice);
    EXPECT_EQ(link.server->client_certificate(), ClientCertificate::Valid);
    EXPECT_EQ(link.server->certificate_username(), "");
}

TEST_F(TlsPeer, ANameWithANulIsNoName) {
    const Pair odd = issue({.common_name = std::string("alice\0.evil.test", 16), .issuer = &authority});
    Link link(asking(), &odd);
    EXPECT_EQ(link.server->client_certificate(), ClientCertificate::Valid);
    EXPECT_EQ(link.server->certificate_username(), "");
}

TEST_F(TlsPeer, ACertificateStaysKnownWhenTheConnectionBreaks) {
    std::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
    Link link(asking(), &revoked);
    link.client.reset();
    link.client_end.reset();
    char buffer[10];
    std::size_t got;
    EXPECT_NE(link.server->read(buffer, sizeof buffer, &got), TlsStep::Done);
    EXPECT_EQ(link.server->client_certificate(), ClientCertificate::Invalid);
}

TEST_F(TlsPeer, ANamedServerAsksByItsOwnSettings) {
    auto plain = TlsContext::create(options_for(own));
    auto strict = TlsContext::create(asking());
    ASSERT_TRUE(plain && strict);
    for (auto [first, named, expected] : {std::tuple(*plain, *strict, ClientCertificate::Valid),
                                          std::tuple(*strict, *plain, ClientCertificate::None)}) {
        first->choose_by_name([&, other = named](const std::string&) { return other; });
        auto pair = socket_pair(SOCK_STREAM, Blocking::No);
        TlsStream server(first, pair->first.get());
        Client client(pair->second.get(), "named.test");
        client.show(alice);
        ASSERT_TRUE(shake_hands(server, client));
        EXPECT_EQ(server.client_certificate(), expected);
        first->choose_by_name({});
    }
}

TEST_F(TlsPeer, BothEndsExportTheSameAndEachConnectionItsOwn) {
    Link first(options_for(own)), second(options_for(own));
    ASSERT_TRUE(first.server->tls_exporter());
    EXPECT_EQ(*first.server->tls_exporter(), first.client_exporter());
    EXPECT_NE(*first.server->tls_exporter(), *second.server->tls_exporter());
    Link old(options_for(own), nullptr, TLS1_2_VERSION);
    EXPECT_FALSE(old.server->tls_exporter());
    EXPECT_FALSE(old.server->tls_server_end_point());
    auto pair = socket_pair(SOCK_STREAM, Blocking::No);
    EXPECT_FALSE(TlsStream(*TlsContext::create(options_for(own)), pair->first.get()).tls_exporter())
        << "no handshake yet";
}

TEST_F(TlsPeer, TheServersEndPointIsTheHashOfTheCertificateThatTheClientSaw) {
    TlsServerOptions options = options_for(issue({.common_name = "rsa.test", .key_type = "RSA"}));
    options.alt_certificate = own.certificate;
    options.alt_key = SecretString(own.key);
    for (const char* algorithms : {"ECDSA+SHA256", "RSA-PSS+SHA256"}) {
        auto context = TlsContext::create(options);
        auto pair = socket_pair(SOCK_STREAM, Blocking::No);
        TlsStream server(*context, pair->first.get());
        Client client(pair->second.get(), nullptr);
        SSL_set1_sigalgs_list(client.native(), algorithms);
        ASSERT_TRUE(shake_hands(server, client));
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        X509_digest(SSL_get0_peer_certificate(client.native()), EVP_sha256(), hash, &size);
        EXPECT_EQ(server.tls_server_end_point(), std::string(reinterpret_cast<char*>(hash), size)) << algorithms;
    }
    Link edwards(options_for(issue({.common_name = "ed.test", .key_type = "ED25519"})));
    EXPECT_FALSE(edwards.server->tls_server_end_point());
    EXPECT_TRUE(edwards.server->tls_exporter());
}

}  // namespace
}  // namespace culver
