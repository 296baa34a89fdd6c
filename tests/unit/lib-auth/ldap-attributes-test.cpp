// pass_attrs and user_attrs: what Dovecot 2.3.19 makes of the same lists and the same entries.
#include "lib-auth/ldap/ldap-attributes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace culver {
namespace {

LdapAnswer alice() {
    LdapAnswer answer;
    answer.entry.dn = "uid=alice,ou=people,dc=example,dc=test";
    answer.entry.attributes = {{"uid", {"alice"}},         {"mail", {"alice@example.test", "alice2@example.test"}},
                               {"uidNumber", {"5000"}},    {"activePath", {"secondaryPath"}},
                               {"secondaryPath", {"/p2"}}, {"empty", {}}};
    answer.pointed["class"] = {"cn=gold", {{"quota", {"999"}}}};
    return answer;
}

std::string made(std::string_view list, const LdapAnswer& answer = alice()) {
    auto attributes = LdapAttributes::parse(list);
    if (!attributes) return attributes.error().detail;
    AuthRequest request;
    request.user = request.original_user = "Alice@Example.test";
    std::string out;
    for (const AuthField& field : attributes->fields(answer, request, [](std::string) {}))
        out += (out.empty() ? "" : " ") + field.key + (field.has_value ? "=" + field.value : "");
    return out;
}

TEST(LdapAttributes, MakeTheFieldsThatDovecotMakes) {
    struct {
        const char *list, *fields;
    } const rows[] = {
        {"", ""},
        {"uid=user", "user=alice"},
        {"uid", "uid=alice"},
        {" uid=user , uidNumber=uid,,", "user=alice uid=5000"},
        {"UID=user", "user=alice"},
        {"missing=x", ""},
        {"empty=x", ""},
        {"mail=m", "m=alice@example.test"},
        {"uid=x=a%$b", "x=aaliceb"},
        {"uid=x=%$ %$", "x=alice alice"},
        {"uid=x=const", "x=constalice"},
        {"uid=x=%u", "x=Alice@Example.test"},
        {"uid=x=a%%b", "x=a%b"},
        {"uid=x=%", "x"},
        {"missing=x=a%$b", ""},
        {"=x=const", "x=const"},
        {"=x", "x"},
        {"=x=", "x"},
        {"=x=%$", "x"},
        {"=x=%{ldap:uid}-%{ldap:UIDNUMBER}", "x=alice-5000"},
        {"=x=%{ldap:nope}", "x"},
        {"=x=%{ldap:nope:d:e}", "x=d:e"},
        {"=x=%{ldap:uid:d}", "x=alice"},
        {"=x=%U{ldap:uid} %2{ldap:uid}", "x=ALICE al"},
        {"=x=%Ln@%d", "x=alice@Example.test"},
        {"=x=%{ldap_dn}", "x=uid=alice,ou=people,dc=example,dc=test"},
        {"=x=%{ldap_ptr:activePath}", "x=/p2"},
        {"=x=%{ldap_ptr:nope}", "x"},
        {"=x=%{if;%{ldap:uid};eq;alice;a,b;c}", "x=a,b"},
        {"=x=%{sha256:ldap:uid}", "x=2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90"},
        {"@class=%{ldap:classDn}, =x=%{ldap:quota@class}", "x=999"},
        {"@class=%{ldap:classDn}, =x=%{ldap:nope@class:none}", "x=none"},
        {"=x=%{ldap:quota@unknown}", "x"},
        {"@class=%{ldap:classDn}, quota@class=q", "q=999"},
        {"!secondaryPath, uid=user", "user=alice"},
        {"uid=user, =x=%u", "user=alice x=alice"},
        {"=user=%Uu, =x=%u", "user=ALICE@EXAMPLE.TEST x=ALICE@EXAMPLE.TEST"},
        {"=c=1, =c=2", "c=2"},
        {"=a:protected=1", "a:protected=1"},
        {"=x=%{nosuch}", "x"},
        {"=", "Invalid attrs entry: ="},
        {"uid=", "Invalid attrs entry: uid="},
        {"uid==x", "Invalid attrs entry: uid==x"},
    };
    for (const auto& row : rows) EXPECT_EQ(made(row.list), row.fields) << row.list;
}

TEST(LdapAttributes, ValuesAreNeverExpanded) {
    LdapAnswer answer = alice();
    answer.entry.attributes = {{"uid", {"%u%{ldap:mail}%$"}}, {"mail", {"secret"}}};
    EXPECT_EQ(made("uid=x, uid=y=<%$>, =z=%{ldap:uid}", answer),
              "x=%u%{ldap:mail}%$ y=<%u%{ldap:mail}%$> z=%u%{ldap:mail}%$");
}

TEST(LdapAttributes, AskForWhatTheyNeedAndNoMore) {
    auto attributes = LdapAttributes::parse(
        "uid=user,UID=other, =a=%{ldap:mail} %{ldap:cn:x}, =b=%{ldap_ptr:active}, !one, "
        "@p=%{ldap:dn1}, =c=%{ldap:quota@p:9}, home@p=h, =d=%{sha1:ldap:sn}, =e=%{if;%{ldap:l};eq;x;%{ldap:st};z}");
    ASSERT_TRUE(attributes) << attributes.error().detail;
    std::vector<std::string> wanted = attributes->wanted();
    std::sort(wanted.begin(), wanted.end());
    EXPECT_EQ(wanted, (std::vector<std::string>{"active", "cn", "dn1", "l", "mail", "one", "sn", "st", "uid"}));
    ASSERT_EQ(attributes->pointers().size(), 1u);
    EXPECT_EQ(attributes->pointers()[0].wanted, (std::vector<std::string>{"quota", "home"}));
}

TEST(LdapAttributes, LeaveOutThePasswordThatTheServerCompares) {
    auto attributes = LdapAttributes::parse("uid=user, userPassword=password", "password");
    ASSERT_TRUE(attributes);
    EXPECT_EQ(attributes->wanted(), std::vector<std::string>{"uid"});
}

TEST(LdapAttributes, FollowADnAsItStandsAndEscapeWhatIsPutIntoOne) {
    AuthRequest request;
    request.user = "a,b";
    LdapEntry entry{"uid=x", {{"dn1", {"cn=gold,dc=test"}}, {"class", {"g,old"}}}};
    struct {
        const char *text, *dn;
    } const rows[] = {{"%{ldap:dn1}", "cn=gold,dc=test"},
                      {"cn=%{ldap:class}", "cn=g\\2Cold"},
                      {"cn=%u", "cn=a\\2Cb"},
                      {"%{ldap:nope}", ""}};
    for (const auto& row : rows) {
        auto attributes = LdapAttributes::parse(fmt::format("@p={}", row.text));
        ASSERT_TRUE(attributes);
        EXPECT_EQ(attributes->pointed_dn(attributes->pointers()[0], entry, request).value_or(""), row.dn) << row.text;
    }
}

TEST(LdapAttributes, ListEveryUserOfAnEntry) {
    struct {
        const char* list;
        std::vector<std::string> users;
    } const rows[] = {{"uid=user", {"alice"}},
                      {"mail=user", {"alice@example.test", "alice2@example.test"}},
                      {"mail=user=<%$>", {"<alice@example.test>"}},
                      {"=user=%{ldap:uid}@x", {"alice@x"}},
                      {"uid=user, mail=other", {"alice"}},
                      {"missing=user", {}},
                      {"uid", {}}};
    for (const auto& row : rows) {
        auto attributes = LdapAttributes::parse(row.list);
        ASSERT_TRUE(attributes);
        EXPECT_EQ(attributes->users(alice(), [](std::string) {}), row.users) << row.list;
    }
}

TEST(LdapAttributes, AreBounded) {
    std::string many;
    for (int i = 0; i < 501; ++i) many += "=a=b,";
    EXPECT_FALSE(LdapAttributes::parse(many));
}

}  // namespace
}  // namespace culver
