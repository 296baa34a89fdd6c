// Messages made to hurt: nesting, many parts, many addresses, many parameters, large headers. Each has to be over soon.
#include <gtest/gtest.h>

#include <chrono>

#include "lib-mail/address.h"
#include "lib-mail/encoded-words.h"
#include "lib-mail/header-fields.h"
#include "lib-mail/message-text.h"
#include "lib-mail/mime-fields.h"
#include "lib-mail/mime-parser.h"

using namespace culver;

namespace {

// Generous: sanitizers and a busy machine are slow; what is quadratic takes minutes.
constexpr double kSeconds = 20;

class Watch {
public:
    ~Watch() {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
        EXPECT_LT(took.count(), kSeconds);
    }

private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

std::string nested_multiparts(int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) {
        const std::string boundary = "b" + std::to_string(i) + ".";
        text += "Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\n\n--" + boundary + "\n";
    }
    return text + "\nx\n";
}

std::uint32_t depth_of(const MimeStructure& structure) {
    std::uint32_t deepest = 0;
    std::vector<std::uint32_t> depth;
    for (const MimePart& part : structure.parts()) {
        depth.push_back(part.parent == MimePart::kNone ? 1 : depth[part.parent] + 1);
        deepest = std::max(deepest, depth.back());
    }
    return deepest;
}

}  // namespace

TEST(HostileMessage, NestingStopsAtItsLimit) {
    Watch watch;
    for (int depth : {100, 1000, 10000}) {
        const std::string message = nested_multiparts(depth);
        EXPECT_EQ(depth_of(MimeStructure::parse(message)), 100u);
    }
    std::string messages;
    for (int i = 0; i < 20000; ++i) messages += "Content-Type: message/rfc822\n\n";
    EXPECT_EQ(depth_of(MimeStructure::parse(messages)), 100u);
}

TEST(HostileMessage, PartsStopAtTheirLimit) {
    Watch watch;
    std::string message = "Content-Type: multipart/mixed; boundary=b\n\n";
    for (int i = 0; i < 100000; ++i) message += "--b\n\nx\n";
    const MimeStructure structure = MimeStructure::parse(message);
    EXPECT_EQ(structure.parts().size(), 10000u);
    EXPECT_EQ(structure[0].body_end(), message.size());
}

TEST(HostileMessage, OneBoundaryForAllLevelsIsNoLoop) {
    Watch watch;
    std::string message;
    for (int i = 0; i < 1000; ++i) message += "Content-Type: multipart/mixed; boundary=b\n\n--b\n";
    for (int i = 0; i < 1000; ++i) message += "--b--\n";
    EXPECT_LE(MimeStructure::parse(message).parts().size(), 10000u);
}

TEST(HostileMessage, LinesThatAlmostAreBoundariesAreLinear) {
    Watch watch;
    std::string message = nested_multiparts(99);
    for (int i = 0; i < 300000; ++i) message += "--b\n";
    EXPECT_LE(MimeStructure::parse(message).parts().size(), 200u);
}

TEST(HostileMessage, AddressesStopAtTheirLimit) {
    Watch watch;
    std::string many = "a@b", groups = "g:a@b;", commas(200000, ','), angles(200000, '<');
    for (int i = 0; i < 100000; ++i) many += ", a@b";
    for (int i = 0; i < 30000; ++i) groups += ", g:a@b;";
    for (const std::string& value : {many, groups, commas, angles, std::string(200000, '('), std::string(200000, '"'),
                                     std::string(200000, '.'), std::string(200000, '\\'), std::string(200000, ':')}) {
        std::vector<Address> addresses;
        parse_addresses(value, addresses);
        EXPECT_LE(addresses.size(), kAddressLimit + 2);
    }
}

TEST(HostileMessage, HalfWordsAndStringsEndWhereTheTextEnds) {
    for (std::string value : {"<", "\"\\", "(", "a@", "<@", "a <", "\"", "(\\", "a:", "g:<", "@", "[", "a@["}) {
        std::vector<Address> addresses;
        parse_addresses(value, addresses);
        EXPECT_LE(addresses.size(), 3u) << value;
    }
}

TEST(HostileMessage, ParametersStopAtTheirLimit) {
    Watch watch;
    std::string forward = "text/plain", reverse = forward, odd = forward;
    for (int i = 0; i < 20000; ++i) {
        forward += "; name*" + std::to_string(i) + "=x";
        reverse += "; name*" + std::to_string(20000 - i) + "*=x";
        odd += "; n" + std::to_string(i) + "*" + std::to_string(i * 7919 % 20000) + "=x";
    }
    for (const std::string& value : {forward, reverse, odd}) {
        MimeFields fields;
        parse_content_type(value, fields);
        EXPECT_LE(fields.parameters.size(), kParameterLimit);
    }
    MimeFields overflow;
    parse_content_type("text/plain; a*99999999999999999999=x; a*18446744073709551616=y", overflow);
    EXPECT_EQ(overflow.parameters.size(), 2u);
}

TEST(HostileMessage, LargeHeadersAreBounded) {
    Watch watch;
    const std::string one = "Subject: " + std::string(10 << 20, 'a') + "\n\n";
    std::string value;
    EXPECT_TRUE(find_header(one, "Subject", value));
    EXPECT_LE(value.size(), kHeaderFieldLimit);
    std::string folded = "Subject: a\n";
    for (int i = 0; i < 1000000; ++i) folded += " bbbb\n";
    EXPECT_TRUE(find_header(folded, "subject", value));
    EXPECT_LE(value.size(), kHeaderFieldLimit);
    std::string lines;
    for (int i = 0; i < 200000; ++i) lines += "X-A: b\n";
    HeaderReader reader(lines);
    HeaderField field;
    std::size_t count = 0;
    while (reader.next(field)) ++count;
    EXPECT_EQ(count, kHeaderLineLimit);
}

TEST(HostileMessage, EncodedWordsAreLinear) {
    Watch watch;
    std::string words, starts, questions(200000, '?');
    for (int i = 0; i < 30000; ++i) words += "=?utf-8?q?=41?= ";
    for (int i = 0; i < 100000; ++i) starts += "=?";
    for (const std::string& value : {words, starts, questions}) decode_encoded_words(value);
    EXPECT_LE(decode_encoded_words(words).size(), words.size());
}

TEST(HostileMessage, SearchingLargeBodiesNeedsNoCopyOfThem) {
    Watch watch;
    std::string message = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n";
    for (int i = 0; i < 50000; ++i) message += "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n";
    message += "bmVlZGxl\n";
    const MimeStructure structure = MimeStructure::parse(message);
    EXPECT_TRUE(TextSearch("NEEDLE").in_message(message, structure, TextSearch::Scope::Body));
    EXPECT_FALSE(TextSearch("needles").in_message(message, structure, TextSearch::Scope::Body));
}
