#include "login/core/proxy-target.h"

#include <gtest/gtest.h>

#include "login/core/forwarded.h"
#include "login/core/source-addresses.h"

namespace culver {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using namespace std::chrono_literals;

std::expected<ProxyTarget, std::string> target(Fields fields) {
    AuthReply reply;
    reply.kind = AuthReply::Kind::Ok;
    reply.fields = std::move(fields);
    return ProxyTarget::from(reply, {.user = "bob", .port = 143, .tls_port = 993, .timeout = 30s});
}

TEST(ProxyTarget, TakesWhatIsSaidAndDefaultsForTheRest) {
    const auto plain = target({{"proxy", ""}, {"host", "192.0.2.1"}, {"pass", "secret"}});
    ASSERT_TRUE(plain) << plain.error();
    EXPECT_EQ(plain->address, *IpAddress::parse("192.0.2.1"));
    EXPECT_EQ(plain->port, 143);
    EXPECT_EQ(plain->user, "bob");
    EXPECT_EQ(plain->password.reveal(), "secret");
    EXPECT_EQ(plain->timeout, 30s);
    EXPECT_TRUE(plain->pipelining && plain->trusted);
    const auto full = target({{"proxy", ""},
                              {"host", "imap.test"},
                              {"hostip", "2001:db8::1"},
                              {"port", "1143"},
                              {"destuser", "robert"},
                              {"pass", "x"},
                              {"master", "boss"},
                              {"proxy_mech", "plain"},
                              {"proxy_timeout", "500ms"},
                              {"source_ip", "2001:db8::2"},
                              {"proxy_nopipelining", ""},
                              {"proxy_not_trusted", ""},
                              {"forward_colour", "blue"},
                              {"starttls", "any-cert"}});
    ASSERT_TRUE(full) << full.error();
    EXPECT_EQ(full->host, "imap.test");
    EXPECT_EQ(full->address, *IpAddress::parse("2001:db8::1"));
    EXPECT_EQ(full->port, 1143);
    EXPECT_EQ(full->user, "robert");
    EXPECT_EQ(full->master, "boss");
    EXPECT_EQ(full->mechanism, "PLAIN");
    EXPECT_EQ(full->timeout, 500ms);
    EXPECT_EQ(full->source, IpAddress::parse("2001:db8::2"));
    EXPECT_FALSE(full->pipelining || full->trusted);
    EXPECT_EQ(full->forwarded, (Fields{{"colour", "blue"}}));
    EXPECT_EQ(full->tls, ProxyTarget::Tls::StartTls);
    EXPECT_EQ(full->certificate, ProxyTarget::Certificate::Any);
}

TEST(ProxyTarget, TlsAtOnceHasItsOwnPort) {
    const auto tls = target({{"host", "192.0.2.1"}, {"pass", "x"}, {"ssl", "yes"}});
    ASSERT_TRUE(tls);
    EXPECT_EQ(tls->port, 993);
    EXPECT_EQ(tls->tls, ProxyTarget::Tls::AtOnce);
    EXPECT_EQ(tls->certificate, ProxyTarget::Certificate::Checked);
    EXPECT_EQ(target({{"host", "192.0.2.1"}, {"pass", "x"}, {"ssl", "no"}})->tls, ProxyTarget::Tls::No);
}

TEST(ProxyTarget, SaysWhatIsWrong) {
    const std::pair<Fields, const char*> cases[] = {
        {{{"pass", "x"}}, "host not given"},
        {{{"host", "imap.test"}, {"pass", "x"}}, "host is no IP address, and hostip not given: imap.test"},
        {{{"host", "a b"}, {"pass", "x"}}, "host is no name and no address"},
        {{{"host", std::string("a\0b", 3)}, {"hostip", "192.0.2.1"}, {"pass", "x"}}, "host is no name and no address"},
        {{{"host", "192.0.2.1"}}, "password not given"},
        {{{"host", "192.0.2.1"}, {"pass", "x"}, {"port", "0"}}, "invalid port number: 0"},
        {{{"host", "192.0.2.1"}, {"pass", "x"}, {"port", "65536"}}, "invalid port number: 65536"},
        {{{"host", "192.0.2.1"}, {"pass", "x"}, {"proxy_timeout", "soon"}}, "invalid proxy_timeout: soon"},
        {{{"host", "192.0.2.1"}, {"pass", "x"}, {"source_ip", "here"}}, "invalid source_ip: here"},
    };
    for (const auto& [fields, error] : cases) {
        const auto found = target(fields);
        ASSERT_FALSE(found) << error;
        EXPECT_EQ(found.error(), error);
    }
}

TEST(ProxyTarget, NoTimeoutIsLongerThanTenMinutes) {
    EXPECT_EQ(target({{"host", "192.0.2.1"}, {"pass", "x"}, {"proxy_timeout", "5"}})->timeout, 5s);
    EXPECT_EQ(target({{"host", "192.0.2.1"}, {"pass", "x"}, {"proxy_timeout", "2 days"}})->timeout, 600s);
    EXPECT_EQ(target({{"host", "192.0.2.1"}, {"pass", "x"}, {"proxy_timeout", "0"}})->timeout, 30s);
}

TEST(Forwarded, TakesItsOwnPairsAndNoNonsense) {
    Forwarded forwarded;
    forwarded.take("name", "Thunderbird");
    EXPECT_TRUE(forwarded.empty());
    forwarded.take("X-Originating-IP", "192.0.2.7");
    forwarded.take("x-originating-port", "4000");
    forwarded.take("x-connected-ip", "no address");
    forwarded.take("x-connected-port", "70000");
    forwarded.take("x-session-id", "abc<def>");
    forwarded.take("x-proxy-ttl", "2");
    forwarded.take("x-forward-colour", "blue");
    forwarded.take("x-forward-", "nothing");
    forwarded.take("x-forward-tab", "a\tnopassword=y");
    EXPECT_EQ(forwarded.remote, IpAddress::parse("192.0.2.7"));
    EXPECT_EQ(forwarded.remote_port, 4000);
    EXPECT_FALSE(forwarded.local || forwarded.local_port);
    EXPECT_EQ(forwarded.session, "");
    EXPECT_EQ(forwarded.ttl, 2u);
    EXPECT_EQ(forwarded.fields, (Fields{{"colour", "blue"}}));
}

TEST(SourceAddresses, TakeTurnsWithinAFamily) {
    auto addresses = SourceAddresses::from("127.0.0.1, ::1 127.0.0.2");
    const IpAddress v4 = *IpAddress::parse("192.0.2.1"), v6 = *IpAddress::parse("2001:db8::1");
    EXPECT_EQ(addresses.next(v4), IpAddress::parse("127.0.0.1"));
    EXPECT_EQ(addresses.next(v6), IpAddress::parse("::1"));
    EXPECT_EQ(addresses.next(v4), IpAddress::parse("127.0.0.2"));
    EXPECT_EQ(addresses.next(v4), IpAddress::parse("127.0.0.1"));
    auto own = SourceAddresses::from("?192.0.2.1 127.0.0.3");
    EXPECT_EQ(own.next(v4), IpAddress::parse("127.0.0.3"));
    EXPECT_EQ(own.next(v6), std::nullopt);
    EXPECT_EQ(SourceAddresses::from("").next(v4), std::nullopt);
}

}  // namespace
}  // namespace culver
