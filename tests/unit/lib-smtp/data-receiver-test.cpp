#include "lib-smtp/data-receiver.h"

#include <gtest/gtest.h>

#include <string>

namespace culver {
namespace {

struct Received {
    std::string message, rest;
    bool finished = false;
};

Received receive(std::string_view input, std::size_t step) {
    DataReceiver receiver;
    Received result;
    while (!input.empty() && !receiver.is_finished()) {
        auto piece = input.substr(0, step);
        auto taken = receiver.feed(piece, [&](std::string_view bytes) { result.message += bytes; });
        input.remove_prefix(taken);
    }
    result.finished = receiver.is_finished();
    result.rest = input;
    return result;
}

struct Case {
    const char* name;
    std::string input, message;
    bool finished;
};

TEST(DataReceiver, OnlyCrlfDotCrlfEndsTheDataWhateverTheChunks) {
    const Case cases[] = {
        {"a plain message", "a\r\nb\r\n.\r\n", "a\r\nb\r\n", true},
        {"an empty message", ".\r\n", "", true},
        {"a stuffed dot", "..\r\n...\r\n.x\r\n.\r\n", ".\r\n..\r\nx\r\n", true},
        {"LF dot LF", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", true},
        {"LF dot CRLF", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", true},
        {"CRLF dot LF", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", true},
        {"CR dot CR", "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", true},
        {"CR dot CRLF", "a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", true},
        {"CRLF dot CR", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", true},
        {"CRLF dot CR CR LF", "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", true},
        {"CR CRLF dot CRLF", "a\r\r\n.\r\n", "a\r\r\n", true},
        {"LF CRLF dot CRLF", "a\n\r\n.\r\n", "a\n\r\n", true},
        {"LF dot CR LF at the very beginning", "\n.\r\n\r\n.\r\n", "\n.\r\n\r\n", true},
        {"NUL around the dot", std::string("a\r\n\0.\r\n.\0\r\n.\r\n", 14), std::string("a\r\n\0.\r\n\0\r\n", 10),
         true},
        {"an unfinished one", "a\r\n.\r", "a\r\n", false},
    };
    for (const Case& c : cases)
        for (std::size_t step : {1u, 2u, 3u, 5u, 1000u}) {
            auto got = receive(c.input, step);
            EXPECT_EQ(got.message, c.message) << c.name << " in steps of " << step;
            EXPECT_EQ(got.finished, c.finished) << c.name << " in steps of " << step;
            EXPECT_EQ(got.rest, "") << c.name;
        }
}

TEST(DataReceiver, LeavesWhatFollowsTheEndAlone) {
    auto got = receive("x\r\n.\r\nQUIT\r\n", 100);
    EXPECT_EQ(got.message, "x\r\n");
    EXPECT_EQ(got.rest, "QUIT\r\n");
}

}  // namespace
}  // namespace culver
