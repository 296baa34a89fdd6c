#include "lib-service/listener-line.h"

#include <gtest/gtest.h>

namespace culver {
namespace {

TEST(ListenerLine, ComesBackAsItWent) {
    const ListenerLine line{7, ListenerKind::Inet, "imap\tport", 993, true};
    auto parsed = ListenerLine::parse(line.to_line());
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->fd, 7);
    EXPECT_EQ(parsed->kind, ListenerKind::Inet);
    EXPECT_EQ(parsed->name, "imap\tport");
    EXPECT_EQ(parsed->port, 993);
    EXPECT_TRUE(parsed->ssl);
}

TEST(ListenerLine, AnythingElseIsNothing) {
    for (auto line : {"", "7", "7\tunix\tx\t0", "x\tunix\tx\t0\tno", "7\ttcp\tx\t0\tno", "7\tunix\tx\t70000\tno",
                      "4294967295\tunix\tx\t0\tno", "7\tunix\tx\t0\tno\tmore"})
        EXPECT_FALSE(ListenerLine::parse(line)) << line;
}

}  // namespace
}  // namespace culver
