#include "lib-base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <functional>
#include <limits>

#include "lib-base/unique-fd.h"

using namespace culver;

namespace {
class StampedFile : public testing::Test {
protected:
    void SetUp() override { write("one\n"); }
    void TearDown() override { ::unlink(path_.c_str()); }

    void write(std::string_view text) { ASSERT_TRUE(replace_file(path_, text, 0600, false)); }
    void set_mtime(std::int64_t seconds, long nanoseconds) {
        const struct timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
        ASSERT_EQ(::utimensat(AT_FDCWD, path_.c_str(), times, 0), 0);
    }
    FileStamp now() { return FileStamp::of_path(path_).value(); }

    const std::string path_ = testing::TempDir() + "file-stamp-" + std::to_string(::getpid());
};
}  // namespace

TEST_F(StampedFile, IsEqualAsLongAsTheFileIsTheSame) {
    FileStamp before = now();
    EXPECT_EQ(before, now());
    EXPECT_EQ(before.size, 4);
    UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(FileStamp::of_fd(fd.get()), before);
    struct stat file;
    ASSERT_EQ(::fstat(fd.get(), &file), 0);
    EXPECT_EQ(FileStamp(file), before);
    ASSERT_EQ(::chmod(path_.c_str(), 0400), 0);
    EXPECT_EQ(before, now()) << "other rights are no other content";
}

TEST_F(StampedFile, TellsEachKindOfChange) {
    struct {
        const char* what;
        std::function<void()> change;
        bool same_file;
    } cases[] = {
        {"a nanosecond", [&] { set_mtime(1'000'000'000, 6); }, true},
        {"a second", [&] { set_mtime(1'000'000'001, 5); }, true},
        {"another size, the time put back",
         [&] {
             ASSERT_EQ(::truncate(path_.c_str(), 3), 0);
             set_mtime(1'000'000'000, 5);
         },
         true},
        {"another file of the same size and time",
         [&] {
             // Both exist for a moment: no inode number is used again.
             write("two\n");
             set_mtime(1'000'000'000, 5);
         },
         false},
    };
    for (const auto& row : cases) {
        write("one\n");
        set_mtime(1'000'000'000, 5);
        FileStamp before = now();
        row.change();
        EXPECT_NE(before, now()) << row.what;
        EXPECT_EQ(before.is_same_file(now()), row.same_file) << row.what;
    }
}

TEST_F(StampedFile, FollowsSymlinks) {
    const std::string link = path_ + ".link";
    ASSERT_EQ(::symlink(path_.c_str(), link.c_str()), 0);
    EXPECT_EQ(FileStamp::of_path(link), now());
    ::unlink(link.c_str());
}

TEST_F(StampedFile, OfNoFileIsNothingAndErrnoSaysWhy) {
    errno = 0;
    EXPECT_EQ(FileStamp::of_path(path_ + ".gone"), std::nullopt);
    EXPECT_EQ(errno, ENOENT);
    EXPECT_EQ(FileStamp::of_path(path_ + "/below"), std::nullopt);
    EXPECT_EQ(errno, ENOTDIR);
    EXPECT_EQ(FileStamp::of_fd(-1), std::nullopt);
    EXPECT_EQ(errno, EBADF);
    EXPECT_NE(FileStamp(), now()) << "what was never read is not up to date";
    write("");
    EXPECT_NE(FileStamp(), now());
}

TEST(FileTime, IsOlderThanOnlyWhatIsPast) {
    using std::chrono::seconds;
    const std::int64_t now = std::time(nullptr);
    constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
    struct {
        FileTime time;
        seconds age;
        bool older;
    } cases[] = {
        {{now - 3600, 0}, seconds(3599), true},
        {{now - 3600, 0}, seconds(7200), false},
        {{now + 3600, 0}, seconds(0), false},
        {{now + 3600, 999'999'999}, seconds(2), false},
        {{0, 0}, seconds(2), true},
        {{-kLast, 0}, seconds(2), true},
        {{kLast, 999'999'999}, seconds(0), false},
    };
    for (const auto& row : cases) EXPECT_EQ(row.time.is_older_than(row.age), row.older) << row.time.seconds;
}
