#include <gtest/gtest.h>

#include <filesystem>

#include "lib-base/file.h"
#include "lib-storage/dovecot-index/reader.h"

using namespace culver;

namespace {

// Files that Dovecot 2.3.19.1 wrote: 5 messages with 31 keywords, one message expunged; then 30 more messages.
std::string data(const char* name) {
    const auto folder = std::filesystem::path(__FILE__).parent_path() / "data";
    return *read_file((folder / name).string());
}

std::string keywords_of(const DovecotIndex& index, std::uint32_t uid) {
    std::string text;
    for (const DovecotIndexRecord& record : index.records)
        if (record.uid == uid)
            for (const std::uint16_t keyword : record.keywords) text += index.keywords.at(keyword) + " ";
    return text;
}

}  // namespace

TEST(DovecotIndex, TheLogAloneTellsAll) {
    const auto index = parse_dovecot_index("", data("dovecot.index.log.first"), "");
    ASSERT_TRUE(index) << index.error().detail;
    EXPECT_EQ(index->uid_validity, 1795180544u);
    EXPECT_EQ(index->next_uid, 6u);
    EXPECT_EQ(index->keywords.size(), 31u);
    EXPECT_EQ(index->records.size(), 4u);
    EXPECT_GE(index->highest_modseq, 41u);
    EXPECT_EQ(keywords_of(*index, 3), "kw2 kw7 kw12 kw17 kw22 kw27 kw28 kw30 ");
    EXPECT_EQ(keywords_of(*index, 5), "kw4 kw9 kw14 kw19 kw24 ");
}

TEST(DovecotIndex, TheSnapshotIsContinuedByTheLog) {
    const auto index = parse_dovecot_index(data("dovecot.index"), data("dovecot.index.log"), "");
    ASSERT_TRUE(index) << index.error().detail;
    EXPECT_EQ(index->next_uid, 36u);
    EXPECT_EQ(index->records.size(), 34u);
    EXPECT_GE(index->highest_modseq, 74u);
    EXPECT_EQ(keywords_of(*index, 3), "kw2 kw7 kw12 kw17 kw22 kw27 ");
    EXPECT_EQ(keywords_of(*index, 15), "after ");
    EXPECT_EQ(keywords_of(*index, 21), "");
}

TEST(DovecotIndex, NothingThereIsNotFound) {
    EXPECT_EQ(read_dovecot_index("/nonexistent").error().code, ErrorCode::NotFound);
    EXPECT_EQ(parse_dovecot_index("rubbish", "", "").error().code, ErrorCode::Corrupt);
    EXPECT_EQ(parse_dovecot_index("", "rubbish", "").error().code, ErrorCode::Corrupt);
}

TEST(DovecotIndex, FilesCutOffOrFlippedAnywhereDoNoHarm) {
    const std::string index = data("dovecot.index"), log = data("dovecot.index.log");
    for (std::size_t size = 0; size < index.size(); size += 3)
        (void)parse_dovecot_index(index.substr(0, size), log, "");
    for (std::size_t size = 0; size < log.size(); size += 7) (void)parse_dovecot_index(index, log.substr(0, size), "");
    for (std::size_t at = 0; at < index.size(); ++at) {
        std::string broken = index;
        broken[at] = static_cast<char>(broken[at] ^ 0xff);
        (void)parse_dovecot_index(broken, log, "");
    }
    for (std::size_t at = 0; at < log.size(); at += 3) {
        std::string broken = log;
        broken[at] = static_cast<char>(broken[at] ^ 0x81);
        (void)parse_dovecot_index(index, broken, "");
        (void)parse_dovecot_index("", broken, log);
    }
}
