#include "lib-delivery/message-source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <set>

#include "lib-delivery/session-id.h"

namespace culver {
namespace {

UniqueFd file_with(std::string_view bytes) {
    UniqueFd fd(::memfd_create("message", MFD_CLOEXEC));
    EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::lseek(fd.get(), 0, SEEK_SET);
    return fd;
}

std::string read_all(MessageSource& source) {
    std::string all;
    for (;;) {
        auto piece = source.read();
        EXPECT_TRUE(piece);
        if (!piece || piece->empty()) return all;
        all += *piece;
    }
}

TEST(StreamSource, TakesTheMboxLineAwayAndKeepsItsSender) {
    struct {
        const char *input, *message, *sender;
    } cases[] = {
        {"From s@x Mon Jan  1 00:00:00 2024\nSubject: t\n\nb\n", "Subject: t\n\nb\n", "s@x"},
        {"From s@x Mon\r\nSubject: t\r\n", "Subject: t\r\n", "s@x"},
        {"From s@x Mon\n", "", "s@x"},
        {"From without end", "From without end", ""},
        {"From: s@x\n\nFrom x\n", "From: s@x\n\nFrom x\n", ""},
        {"", "", ""},
    };
    for (auto& c : cases) {
        auto fd = file_with(c.input);
        StreamSource source(fd.get());
        EXPECT_EQ(read_all(source), c.message) << c.input;
        EXPECT_EQ(source.mbox_sender(), c.sender) << c.input;
    }
}

TEST(FileSource, ReadsFromTheBeginningWhateverThePosition) {
    std::string large(300'000, 'x');
    auto fd = file_with(large);
    ::lseek(fd.get(), 0, SEEK_END);
    FileSource first(fd.get()), second(fd.get());
    EXPECT_EQ(read_all(first), large);
    EXPECT_EQ(read_all(second), large);
}

TEST(SessionId, IsNeverTheSame) {
    std::set<std::string> ids;
    for (int i = 0; i < 10'000; ++i) {
        ids.insert(new_session_id());
    }
    EXPECT_EQ(ids.size(), 10'000u);
    EXPECT_EQ(ids.begin()->size(), 22u);
}

}  // namespace
}  // namespace culver
