#include "lib-mail/line-endings.h"

#include <gtest/gtest.h>

using namespace culver;

namespace {
// The obvious way, to compare with.
std::string plain_crlf(std::string_view stored) {
    std::string out;
    for (std::size_t i = 0; i < stored.size(); ++i) {
        if (stored[i] == '\n' && (i == 0 || stored[i - 1] != '\r')) out += '\r';
        out += stored[i];
    }
    return out;
}
const char* const kSamples[] = {"",       "\n",        "\r\n",           "\r",         "a",
                                "a\n",    "a\r\nb\nc", "\r\r\n",         "\n\n\n\r\n", "x\n\ry\n\n",
                                "\nlast", "no end\r",  "a\nb\nc\nd\ne\n"};
}  // namespace

TEST(LineEndings, CrlfFormGivesEveryBareLfItsCr) {
    for (std::string_view sample : kSamples) {
        EXPECT_EQ(to_crlf(sample), plain_crlf(sample));
        EXPECT_EQ(virtual_size(sample), plain_crlf(sample).size());
    }
    EXPECT_EQ(virtual_size("\n", '\r'), 1u);
}

TEST(LineEndings, EverySliceOfTheCrlfFormCanBeReadAlone) {
    std::string large;
    for (int i = 0; i < 3000; ++i) large += i % 3 ? "line\n" : "line\r\n";
    for (std::string_view sample : kSamples) {
        const std::string whole = plain_crlf(sample);
        for (std::size_t from = 0; from <= whole.size() + 1; ++from)
            for (std::size_t count = 0; count <= whole.size() + 1; ++count) {
                std::string out;
                append_crlf_slice(sample, from, count, out);
                EXPECT_EQ(out, from > whole.size() ? "" : whole.substr(from, count)) << sample << from << ' ' << count;
            }
    }
    const std::string whole = plain_crlf(large);
    for (std::size_t from : {0u, 1u, 4095u, 4096u, 4097u, 5461u, 5462u, 17000u}) {
        std::string out;
        append_crlf_slice(large, from, 100, out);
        EXPECT_EQ(out, whole.substr(from, 100)) << from;
    }
}

TEST(LineEndings, PiecesJoinToTheWhole) {
    for (std::string_view sample : kSamples)
        for (std::size_t step = 1; step < 4; ++step) {
            CrlfReader reader(sample);
            std::string out;
            while (reader.read(out, step) > 0) {
            }
            EXPECT_EQ(out, plain_crlf(sample));
            EXPECT_TRUE(reader.at_end());
        }
}

TEST(LineEndings, LfFormTakesOnlyTheCrOfCrlf) {
    EXPECT_EQ(to_lf("a\r\nb\rc\r\r\nd\n"), "a\nb\rc\r\nd\n");
    EXPECT_EQ(to_lf("\r\n\r\n"), "\n\n");
    EXPECT_EQ(to_lf(""), "");
}
