#include "login/core/login-log.h"

#include <gtest/gtest.h>

namespace culver {
namespace {

constexpr char kElements[] = "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>";

LoginLogFields example() {
    LoginLogFields fields;
    fields.user = "bob@example.test";
    fields.mechanism = "PLAIN";
    fields.remote_ip = "192.0.2.7";
    fields.local_ip = "192.0.2.1";
    fields.session = "abc";
    fields.mail_pid = 12;
    fields.security = LoginLogFields::Security::Tls;
    return fields;
}

TEST(LoginLog, ALoginLooksAsLogReadersKnowIt) {
    EXPECT_EQ(
        login_log_line("%$: %s", kElements, "Login", example()),
        "Login: user=<bob@example.test>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=12, TLS, session=<abc>");
}

TEST(LoginLog, ElementsWithoutAValueAreLeftOutButTheUser) {
    LoginLogFields fields = example();
    fields.user.clear();
    fields.mechanism.clear();
    fields.mail_pid = 0;
    fields.security = LoginLogFields::Security::None;
    EXPECT_EQ(login_log_line("%$: %s", kElements, "Disconnected", fields),
              "Disconnected: user=<>, rip=192.0.2.7, lip=192.0.2.1, session=<abc>");
}

TEST(LoginLog, OtherFormatsAndElements) {
    EXPECT_EQ(login_log_line("%s - %$ %%", "%n d=%d fixed", "Login", example()),
              "bob, d=example.test, fixed - Login %");
}

TEST(LoginLog, WhatAClientSaysIsNeverExpandedAgain) {
    LoginLogFields fields = example();
    fields.user = "%{session}%r";
    EXPECT_EQ(login_log_line("%$: %s", "user=<%u>", "Login", fields), "Login: user=<%{session}%r>");
}

}  // namespace
}  // namespace culver
