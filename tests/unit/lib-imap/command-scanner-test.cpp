#include "lib-imap/command-scanner.h"

#include <gtest/gtest.h>

using namespace culver;
using Kind = ScanResult::Kind;

TEST(CommandScanner, FindsTheEndByteByByte) {
    const std::string text = "a LOGIN {3}\r\nbob {2+}\r\npw\r\nb NOOP\r\n";
    CommandScanner scanner;
    std::string buffer;
    std::string events;
    for (const char c : text) {
        buffer += c;
        const ScanResult result = scanner.scan(buffer);
        if (result.kind == Kind::NeedLiteral) {
            events += "{" + std::to_string(result.literal_size) + (result.synchronising ? "}" : "+}");
            EXPECT_EQ(result.length, buffer.size());
            scanner.accept_literal();
        } else if (result.kind == Kind::Complete) {
            events += "[" + buffer.substr(0, result.text_length) + "]";
            buffer.erase(0, result.length);
            scanner.reset();
        }
    }
    EXPECT_EQ(events, "{3}{2+}[a LOGIN {3}\r\nbob {2+}\r\npw][b NOOP]");
}

TEST(CommandScanner, TakesPipelinedCommandsAndBareLf) {
    CommandScanner scanner;
    const ScanResult result = scanner.scan("a NOOP\nb NOOP\r\n");
    EXPECT_EQ(result.kind, Kind::Complete);
    EXPECT_EQ(result.length, 7u);
    EXPECT_EQ(result.text_length, 6u);
}

TEST(CommandScanner, ALiteralHeadInsideQuotesOrWithoutDigitsIsNone) {
    for (auto line :
         {"a SELECT \"x {5}\r\n", "a SELECT {x}\r\n", "a SELECT {}\r\n", "a SELECT \"\\\"{5+}\r\n", "a x}\r\n"}) {
        CommandScanner scanner;
        EXPECT_EQ(scanner.scan(line).kind, Kind::Complete) << line;
    }
    CommandScanner scanner;
    EXPECT_EQ(scanner.scan("a SELECT \"x\\\"\" {5}\r\n").kind, Kind::NeedLiteral);
}

TEST(CommandScanner, StopsAtEachLimit) {
    const ScanLimits limits{100, 50, 80};
    CommandScanner line(limits);
    EXPECT_EQ(line.scan(std::string(100, 'a')).kind, Kind::NeedLine);
    EXPECT_EQ(line.scan(std::string(101, 'a')).kind, Kind::TooLong);

    CommandScanner literal(limits);
    EXPECT_EQ(literal.scan("a x {51+}\r\n").kind, Kind::LiteralTooLarge);
    for (auto text :
         {"a x {18446744073709551616}\r\n", "a x {99999999999999999999999999}\r\n", "a x {18446744073709551615}\r\n"}) {
        CommandScanner large(limits);
        EXPECT_EQ(large.scan(text).kind, Kind::LiteralTooLarge);
    }

    CommandScanner sum(limits);
    std::string buffer = "a x {50}\r\n";
    EXPECT_EQ(sum.scan(buffer).kind, Kind::NeedLiteral);
    sum.accept_literal();
    buffer += std::string(50, 'y') + " {31}\r\n";
    EXPECT_EQ(sum.scan(buffer).kind, Kind::LiteralTooLarge);

    CommandScanner lines(limits);  // short lines with empty literals add up
    buffer.clear();
    Kind kind = Kind::NeedLine;
    for (int i = 0; i < 100 && kind != Kind::TooLong; ++i) {
        buffer += " {0}\r\n";
        kind = lines.scan(buffer).kind;
        if (kind == Kind::NeedLiteral) lines.accept_literal();
    }
    EXPECT_EQ(kind, Kind::TooLong);
}

TEST(CommandScanner, GoesOnBehindALiteralThatTheCallerTook) {
    CommandScanner scanner;
    EXPECT_EQ(scanner.scan("a APPEND x {1000+}\r\n").kind, Kind::NeedLiteral);
    scanner.resume_after_literal();
    EXPECT_EQ(scanner.scan(" (\\Seen) {7}\r\n").literal_size, 7u);
    scanner.resume_after_literal();
    EXPECT_EQ(scanner.scan("\r\nb NOOP").kind, Kind::Complete);
}
