// The client's end of TLS, against the server's end.
#include <gtest/gtest.h>

#include "tests/unit/lib-net/tls-fixture.h"

namespace culver {
namespace {

struct Outcome {
    TlsStep client;
    std::string error;
};

// Both ends on a socket pair, until the client's handshake is decided.
Outcome shake_hands(const Pair& server, const std::string& authorities, const std::string& host, PeerCheck check) {
    auto [ours, theirs] = std::move(*socket_pair(SOCK_STREAM, Blocking::No));
    TlsStream accepting(*TlsContext::create(options_for(server)), theirs.get());
    TlsClientOptions options;
    options.authorities = authorities;
    auto connecting = TlsStream::connect(*TlsContext::create_client(options), ours.get(), host, check);
    TlsStep step = TlsStep::WantRead;
    for (int i = 0; i < 10 && (step == TlsStep::WantRead || step == TlsStep::WantWrite); ++i) {
        step = connecting->handshake();
        accepting.handshake();
    }
    return {step, connecting->error()};
}

TEST(TlsClient, ACertificateHasToBeSignedByAnAuthorityAndForTheHost) {
    const Pair authority = issue({.common_name = "authority", .may_sign = true});
    const Pair good = issue({.common_name = "imap.test", .issuer = &authority});
    const Pair old = issue({.common_name = "imap.test", .issuer = &authority, .starts = -7200, .ends = -3600});
    const Pair stranger = make_pair("imap.test");
    struct Case {
        const Pair* server;
        std::string authorities, host, error;
    };
    const Case cases[] = {
        {&good, authority.certificate, "imap.test", ""},
        {&good, authority.certificate, "IMAP.test", ""},
        {&good, authority.certificate, "other.test", "hostname mismatch: /CN=imap.test"},
        {&good, authority.certificate, "192.0.2.1", "IP address mismatch: /CN=imap.test"},
        {&good, "", "imap.test", "unable to get local issuer certificate: /CN=imap.test"},
        {&old, authority.certificate, "imap.test", "certificate has expired: /CN=imap.test"},
        {&stranger, authority.certificate, "imap.test", "self-signed certificate: /CN=imap.test"},
    };
    for (const Case& each : cases) {
        const Outcome outcome = shake_hands(*each.server, each.authorities, each.host, PeerCheck::Full);
        EXPECT_EQ(outcome.client, each.error.empty() ? TlsStep::Done : TlsStep::Failed) << each.host << each.error;
        EXPECT_EQ(outcome.error, each.error.empty() ? "" : "Received invalid SSL certificate: " + each.error);
        EXPECT_EQ(shake_hands(*each.server, "", each.host, PeerCheck::None).client, TlsStep::Done);
    }
}

TEST(TlsClient, SaysWhichSettingIsWrong) {
    TlsClientOptions options;
    options.authorities = "no certificate";
    auto context = TlsContext::create_client(options);
    ASSERT_FALSE(context);
    EXPECT_NE(context.error().detail.find("ssl_client_ca_*"), std::string::npos) << context.error().detail;
}

}  // namespace
}  // namespace culver
