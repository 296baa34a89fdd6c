#include "lib-auth/ldap/ldap-config.h"

#include <gtest/gtest.h>
#include <ldap.h>

#include "lib-auth/ldap/ldap-escape.h"

namespace culver {
namespace {

TEST(LdapConfig, HasDovecotsDefaults) {
    auto config = parse_ldap_config("hosts = a b:390 [::1]:389 2001:db8::1\nbase = dc=x\n", "f");
    ASSERT_TRUE(config) << config.error().detail;
    EXPECT_EQ(config->uris,
              (std::vector<std::string>{"ldap://a", "ldap://b:390", "ldap://[::1]:389", "ldap://[2001:db8::1]"}));
    EXPECT_EQ(config->pass_filter, "(&(objectClass=posixAccount)(uid=%u))");
    EXPECT_EQ(config->user_filter, config->pass_filter);
    EXPECT_EQ(config->iterate_filter, "(objectClass=posixAccount)");
    EXPECT_EQ(config->default_pass_scheme, "CRYPT");
    EXPECT_EQ(config->scope, LDAP_SCOPE_SUBTREE);
    EXPECT_EQ(config->deref, LDAP_DEREF_NEVER);
    EXPECT_EQ(config->ldap_version, 3);
    EXPECT_FALSE(config->auth_bind);
    EXPECT_EQ(config->pass_attrs.wanted(), (std::vector<std::string>{"uid", "userPassword"}));
    EXPECT_EQ(config->user_attrs.wanted(), (std::vector<std::string>{"homeDirectory", "uidNumber", "gidNumber"}));
}

TEST(LdapConfig, UnderstandsEverySetting) {
    auto config = parse_ldap_config(
        "uris = ldaps://a ldapi://%2Frun%2Fldapi\nhosts = ignored\ndn = cn=x\ndnpass = \"y # z\"\nsasl_bind = no\n"
        "sasl_mech = EXTERNAL\nsasl_realm = r\nsasl_authz_id = u:x\ntls = no\ntls_ca_cert_file = /a\n"
        "tls_ca_cert_dir = /b\ntls_cert_file = /c\ntls_key_file = /d\ntls_cipher_suite = NORMAL\n"
        "tls_require_cert = never\nldap_version = 3\nbase = dc=%Dd\nderef = finding\nscope = onelevel\n"
        "user_attrs = uid=user\nuser_filter = (uid=%n)\npass_attrs = uid=user,userPassword=password\n"
        "pass_filter = (mail=%u)\niterate_attrs = mail=user\niterate_filter = (mail=*)\n"
        "default_pass_scheme = SSHA\nauth_bind = YES\nauth_bind_userdn = uid=%u,dc=x\nblocking = yes\n"
        "debug_level = -1\nldaprc_path = /e\nuserdb_warning_disable = yes\n",
        "f");
    ASSERT_TRUE(config) << config.error().detail;
    EXPECT_EQ(config->uris, (std::vector<std::string>{"ldaps://a", "ldapi://%2Frun%2Fldapi"}));
    EXPECT_TRUE(config->dnpass.equals("y # z"));
    EXPECT_EQ(config->tls_require_cert, LDAP_OPT_X_TLS_NEVER);
    EXPECT_EQ(config->scope, LDAP_SCOPE_ONELEVEL);
    EXPECT_EQ(config->deref, LDAP_DEREF_FINDING);
    EXPECT_EQ(config->debug_level, -1);
    EXPECT_TRUE(config->auth_bind);
    EXPECT_EQ(config->pass_attrs.wanted(), std::vector<std::string>{"uid"}) << "the server compares the password";
}

TEST(LdapConfig, NamesEveryMistakeAtOnceWithItsLine) {
    struct {
        const char *text, *problem;
    } const rows[] = {
        {"nonsense = 1\n", "f:3: Unknown setting: nonsense"},
        {"user_filters = (uid=%u)\n", "f:3: Unknown setting: user_filters (did you mean user_filter?)"},
        {"USER_FILTER = (uid=%u)\n", "f:3: Unknown setting: USER_FILTER"},
        {"auth_bind = true\n", "f:3: Invalid boolean: true (write auth_bind = yes or no)"},
        {"ldap_version = x\n", "f:3: Invalid number: x (write ldap_version = a number up to 2147483647)"},
        {"ldap_version = 4\n", "f:3: ldap_version = 4: there are 2 and 3"},
        {"ldap_version = 2\ntls = yes\n", "f:4: tls=yes requires ldap_version=3"},
        {"uris = ldaps://a\ntls = yes\n", "f:4: Don't use both tls=yes and ldaps URI (ldaps://a)"},
        {"uris = http://a\n", "f:3: 'http://a' is no LDAP server"},
        {"hosts =\n", "f:3: No uris or hosts set"},
        {"base =\n", "f:3: No base given"},
        {"scope = x\n", "f:3: Unknown scope value 'x' (write one of base, onelevel, subtree)"},
        {"pass_attrs = uid=\n", "f:3: pass_attrs: Invalid attrs entry: uid="},
        {"user_filter = (uid=%u\n", "f:3: user_filter: its parentheses do not match: 1 '(' and 0 ')'"},
        {"user_filter = (uid=%{nosuch})\n",
         "f:3: user_filter: Failed to expand (uid=%{nosuch}): Unknown variable '%nosuch'"},
        {"default_pass_scheme = NOSUCH\n", "f:3: Unknown scheme NOSUCH"},
        {"oops\n", "f:3: Expecting '=': oops"},
    };
    std::string all = "hosts = a\nbase = dc=x\n";
    for (const auto& row : rows) {
        auto config = parse_ldap_config("hosts = a\nbase = dc=x\n" + std::string(row.text), "f");
        ASSERT_FALSE(config) << row.text;
        EXPECT_EQ(config.error().detail, row.problem);
    }
    auto many = parse_ldap_config("x = 1\ny = 2\n", "f");
    ASSERT_FALSE(many);
    EXPECT_EQ(many.error().detail,
              "f:1: Unknown setting: x; f:2: Unknown setting: y; f: No uris or hosts set; f: No base given");
}

TEST(LdapEscape, LeavesNothingThatMeansSomethingToAFilterOrADn) {
    struct {
        std::string_view value, escaped;
    } const rows[] = {
        {"alice@example.test", "alice@example.test"},
        {"*", "\\2A"},
        {"a)(uid=*", "a\\29\\28uid\\3D\\2A"},
        {"back\\slash", "back\\5Cslash"},
        {std::string_view("a\0b", 3), "a\\00b"},
        {"a,b+c\"d;e<f>g#h", "a\\2Cb\\2Bc\\22d\\3Be\\3Cf\\3Eg\\23h"},
        {" lead", "\\20lead"},
        {"\r\n\t", "\\0D\\0A\\09"},
        {"\xc3\xa4", "\\C3\\A4"},
        {"\xff", "\\FF"},
        {"", ""},
    };
    for (const auto& row : rows) EXPECT_EQ(ldap_escape(row.value), row.escaped);
}

TEST(LdapEscape, EscapesForThePlaceOfAValue) {
    AuthRequest request;
    request.user = "a*,b@ex+am.ple";
    struct {
        const char *text, *expanded;
    } const filters[] = {
        {"(uid=%u)", "(uid=a\\2A\\2Cb@ex\\2Bam.ple)"},
        {"(&(a=b)(uid=%n))", "(&(a=b)(uid=a\\2A\\2Cb))"},
        {"(uid=%2n)", "(uid=a\\2A)"},
        {"(uid=%1n)", "(uid=a)"},
        {"(memberOf=cn=%n,dc=x)", "(memberOf=cn=a\\5C2A\\5C2Cb,dc=x)"},
        {"(member:1.2.3:=cn=%n)", "(member:1.2.3:=cn=a\\5C2A\\5C2Cb)"},
        {"(uid>=%n)", "(uid>=a\\2A\\2Cb)"},
        {"(uid=%{if;%d;eq;x;(%n);%n})", "(uid=a\\2A\\2Cb)"},
        {"(o=dc=%Dd)", "(o=dc=ex\\5C2Bam,dc=ple)"},
        {"uid=%n", "uid=a\\2A\\2Cb"},
        {"(uid=static)", "(uid=static)"},
    };
    for (const auto& row : filters) EXPECT_EQ(expand_ldap_filter(row.text, request).value_or("?"), row.expanded);
    struct {
        const char *text, *expanded;
    } const names[] = {
        {"uid=%u,dc=x", "uid=a\\2A\\2Cb@ex\\2Bam.ple,dc=x"},
        {"dc=%Dd", "dc=ex\\2Bam,dc=ple"},
        {"dc=%3Dd", "dc=ex\\2Bam,dc=ple"},
        {"uid=%U{username}", "uid=A\\2A\\2CB"},
    };
    for (const auto& row : names) EXPECT_EQ(expand_ldap_dn(row.text, request).value_or("?"), row.expanded);
    EXPECT_FALSE(expand_ldap_filter("(uid=%{nosuch})", request));
}

}  // namespace
}  // namespace culver
