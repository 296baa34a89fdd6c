#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "lib-storage/list/folder-layout.h"

using namespace culver;
namespace fs = std::filesystem;

namespace {

class Layouts : public ::testing::TestWithParam<FolderLayoutKind> {
protected:
    void SetUp() override {
        // In memory where there is such a place: thousands of directories are made here.
        std::string name =
            std::filesystem::is_directory("/dev/shm") ? "/dev/shm/culver-layout-XXXXXX" : "/tmp/culver-layout-XXXXXX";
        ASSERT_TRUE(::mkdtemp(name.data()));
        top_ = name;
        fs::create_directory(root());
        open("");
    }
    void TearDown() override { fs::remove_all(top_); }

    std::string root() const { return top_ + "/Maildir"; }
    void open(const std::string& options) {
        const std::string kind = GetParam() == FolderLayoutKind::Fs ? ":LAYOUT=fs" : "";
        auto location = parse_mail_location("maildir:" + root() + kind + options, top_);
        ASSERT_TRUE(location) << location.error().detail;
        layout_ = make_layout(*location);
    }
    std::vector<std::string> scan() const {
        std::vector<std::string> names;
        auto folders = layout_->scan();
        EXPECT_TRUE(folders);
        if (!folders) return names;
        for (const FoundFolder& folder : *folders) names.push_back(folder.path + (folder.is_mailbox ? "" : "!"));
        std::sort(names.begin(), names.end());
        return names;
    }
    bool is_maildir_plus_plus() const { return GetParam() == FolderLayoutKind::MaildirPlusPlus; }

    std::string top_;
    std::unique_ptr<FolderLayout> layout_;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_P(Layouts, AFolderIsMadeOnceAndFoundAgain) {
    ASSERT_TRUE(layout_->create("A\tB"));
    const Status again = layout_->create("A\tB");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::AlreadyExists);
    EXPECT_EQ(layout_->presence("A\tB"), FolderLayout::Presence::Mailbox);
    EXPECT_EQ(scan(), is_maildir_plus_plus() ? Names({"A\tB"}) : Names({"A\tB", "A!"}));
    EXPECT_EQ(layout_->paths("A\tB").mail, root() + (is_maildir_plus_plus() ? "/.A.B" : "/A/B"));
    for (const char* name : {"/cur", "/new", "/tmp"}) EXPECT_TRUE(fs::is_directory(layout_->paths("A\tB").mail + name));
    EXPECT_EQ(fs::exists(root() + "/.A.B/maildirfolder"), is_maildir_plus_plus());
}

TEST_P(Layouts, ModesComeFromTheRoot) {
    ASSERT_EQ(::chmod(root().c_str(), 0770), 0);
    const mode_t before = ::umask(077);
    ASSERT_TRUE(layout_->create("A"));
    ::umask(before);
    struct stat st;
    ASSERT_EQ(::stat(layout_->paths("A").mail.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0770u);
    ASSERT_EQ(::stat((layout_->paths("A").mail + "/cur").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0770u);
}

TEST_P(Layouts, NamesAreEncodedOnDiskUnlessTheLocationSaysUtf8) {
    const std::string path = "\xc3\xa4 x\t&";
    ASSERT_TRUE(layout_->create(path));
    EXPECT_EQ(layout_->paths(path).mail, root() + (is_maildir_plus_plus() ? "/.&AOQ- x.&-" : "/&AOQ- x/&-"));
    open(":UTF-8");
    EXPECT_EQ(layout_->paths(path).mail, root() + (is_maildir_plus_plus() ? "/.\xc3\xa4 x.&" : "/\xc3\xa4 x/&"));
}

TEST_P(Layouts, ADirectoryWithAnUnencodedNameIsFoundUnderIt) {
    const std::string directory = root() + (is_maildir_plus_plus() ? "/.\xc3\xa4" : "/\xc3\xa4");
    fs::create_directories(directory + "/cur");
    EXPECT_EQ(scan(), Names{"\xc3\xa4"});
    EXPECT_EQ(layout_->paths("\xc3\xa4").mail, directory);
}

TEST_P(Layouts, DeletingLeavesTheChildren) {
    for (const char* path : {"A", "A\tB"}) ASSERT_TRUE(layout_->create(path));
    std::ofstream(layout_->paths("A").mail + "/cur/1.a.b:2,S") << "x";
    std::ofstream(layout_->paths("A").mail + "/dovecot-uidlist") << "x";
    ASSERT_TRUE(layout_->remove("A"));
    EXPECT_EQ(layout_->presence("A") == FolderLayout::Presence::Mailbox, false);
    EXPECT_EQ(layout_->presence("A\tB"), FolderLayout::Presence::Mailbox);
    EXPECT_FALSE(fs::exists(layout_->paths("A").mail + "/dovecot-uidlist"));
    for (const auto& entry : fs::directory_iterator(root()))
        EXPECT_FALSE(entry.path().filename().string().starts_with(kTemporaryPrefix)) << entry.path();
    ASSERT_TRUE(layout_->remove("A\tB"));
    const Status again = layout_->remove("A\tB");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::NotFound);
    // Made again, it is a new mailbox.
    ASSERT_TRUE(layout_->create("A"));
    EXPECT_FALSE(fs::exists(layout_->paths("A").mail + "/dovecot-uidlist"));
}

TEST_P(Layouts, RenamingTakesTheChildrenAlong) {
    for (const char* path : {"A", "A\tB", "A\tB\tC", "AB"}) ASSERT_TRUE(layout_->create(path));
    ASSERT_TRUE(layout_->rename("A", "X\tY", *layout_->scan()));
    const Names expected = is_maildir_plus_plus() ? Names{"AB", "X\tY", "X\tY\tB", "X\tY\tB\tC"}
                                                  : Names{"AB", "X\tY", "X\tY\tB", "X\tY\tB\tC", "X!"};
    EXPECT_EQ(scan(), expected);
    const Status taken = layout_->rename("AB", "X\tY", *layout_->scan());
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().client, "Target mailbox already exists");
    EXPECT_EQ(scan(), expected);
}

TEST_P(Layouts, IndexAndControlFilesLieApartAndMoveAlong) {
    open(":INDEX=" + top_ + "/idx:CONTROL=" + top_ + "/ctl");
    ASSERT_TRUE(layout_->create("A"));
    const MailboxPaths paths = layout_->paths("A");
    EXPECT_EQ(paths.index, top_ + (is_maildir_plus_plus() ? "/idx/.A" : "/idx/A"));
    EXPECT_EQ(paths.control, top_ + (is_maildir_plus_plus() ? "/ctl/.A" : "/ctl/A"));
    EXPECT_EQ(paths.root_control, top_ + "/ctl");
    EXPECT_EQ(layout_->paths("INBOX").index, top_ + (is_maildir_plus_plus() ? "/idx/.INBOX" : "/idx/INBOX"));
    EXPECT_EQ(layout_->paths("INBOX").mail, root());
    for (const std::string& directory : {paths.index, paths.control}) fs::create_directories(directory);
    std::ofstream(paths.control + "/dovecot-uidlist") << "x";
    std::ofstream(paths.index + "/culver.index") << "x";
    ASSERT_TRUE(layout_->rename("A", "B", *layout_->scan()));
    EXPECT_TRUE(fs::exists(layout_->paths("B").control + "/dovecot-uidlist"));
    EXPECT_TRUE(fs::exists(layout_->paths("B").index + "/culver.index"));
    EXPECT_FALSE(fs::exists(paths.control));
    ASSERT_TRUE(layout_->remove("B"));
    EXPECT_FALSE(fs::exists(layout_->paths("B").control));
    EXPECT_FALSE(fs::exists(layout_->paths("B").index));
}

TEST_P(Layouts, OddEntriesAreNoFoldersAndHangNobody) {
    const std::string prefix = root() + (is_maildir_plus_plus() ? "/." : "/");
    ASSERT_TRUE(layout_->create("ok"));
    ASSERT_EQ(::mkfifo((prefix + "fifo").c_str(), 0600), 0);
    std::ofstream(prefix + "file") << "x";
    fs::create_directory_symlink(root(), prefix + "loop");
    fs::create_symlink("nowhere", prefix + "dangling");
    fs::create_directory(prefix +
                         "control\x01"
                         "byte");
    fs::create_directory(root() + "/culver.tmp.delete.1.x");
    if (is_maildir_plus_plus()) fs::create_directory(root() + "/..odd");
    Names names = scan();
    // A link to a directory is a folder in Maildir++, as it is for Dovecot.
    std::erase(names, "loop");
    EXPECT_EQ(names, Names{"ok"});
}

TEST_P(Layouts, ALinkAsAFolderIsRemovedAndNotFollowed) {
    fs::create_directories(top_ + "/elsewhere/cur");
    std::ofstream(top_ + "/elsewhere/cur/1") << "x";
    fs::create_directory_symlink(top_ + "/elsewhere", root() + (is_maildir_plus_plus() ? "/.L" : "/L"));
    if (!is_maildir_plus_plus()) return;  // there the files of the target are the mailbox
    ASSERT_TRUE(layout_->remove("L"));
    EXPECT_TRUE(fs::exists(top_ + "/elsewhere/cur/1"));
}

TEST_P(Layouts, TenThousandFoldersAreListedAtOnce) {
    for (int i = 0; i < 10'000; ++i) {
        const std::string name = "f" + std::to_string(i);
        fs::create_directory(root() + (is_maildir_plus_plus() ? "/.a." : "/") + name);
    }
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(layout_->scan()->size(), 10'000u);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

INSTANTIATE_TEST_SUITE_P(All, Layouts, ::testing::Values(FolderLayoutKind::MaildirPlusPlus, FolderLayoutKind::Fs),
                         [](const auto& info) { return info.param == FolderLayoutKind::Fs ? "Fs" : "Maildir"; });

TEST(LayoutNames, WhatAStorageCannotHoldIsRefusedInDovecotsWords) {
    struct Case {
        const char* path;
        char separator;
        const char* maildir;  // null: accepted
        const char* fs;
    };
    constexpr Case kCases[] = {
        {"a\tb", '/', nullptr, nullptr},
        {"a.b", '/', "Character not allowed in mailbox name: '.'", nullptr},
        {"..", '/', "Character not allowed in mailbox name: '.'", "Invalid mailbox name: Contains '..' part"},
        {"a\t..\tb", '/', "Character not allowed in mailbox name: '.'", "Invalid mailbox name: Contains '..' part"},
        {"a\t.", '/', "Character not allowed in mailbox name: '.'", "Invalid mailbox name: Contains '.' part"},
        {"a/b", '.', "Invalid mailbox name: Name must not have '/' characters",
         "Invalid mailbox name: Name must not have '/' characters"},
        {"cur", '/', nullptr, "Invalid mailbox name: Contains reserved name"},
        {"~x", '/', "Invalid mailbox name: Begins with '~'", "Invalid mailbox name: Begins with '~'"},
        {"a\t\tb", '/', "Invalid mailbox name: Has adjacent hierarchy separators",
         "Invalid mailbox name: Has adjacent hierarchy separators"},
        {"\ta", '/', "Invalid mailbox name: Begins with hierarchy separator",
         "Invalid mailbox name: Begins with hierarchy separator"},
        {"", '/', "Invalid mailbox name: Name is empty", "Invalid mailbox name: Name is empty"},
    };
    const auto maildir = make_layout(*parse_mail_location("maildir:/x", ""));
    const auto fs_layout = make_layout(*parse_mail_location("maildir:/x:LAYOUT=fs", ""));
    const auto check = [](const FolderLayout& layout, const Case& one, const char* expected) {
        const Status status = layout.check(one.path, one.separator, FolderLayout::Purpose::Create);
        EXPECT_EQ(status ? "" : status.error().client, expected ? expected : "") << one.path;
    };
    for (const Case& one : kCases) {
        check(*maildir, one, one.maildir);
        check(*fs_layout, one, one.fs);
    }
    std::string deep = "a";
    for (int i = 0; i < 20; ++i) deep += "\ta";
    EXPECT_FALSE(maildir->check(deep, '/', FolderLayout::Purpose::Create));
    EXPECT_FALSE(maildir->check(std::string(201, 'x'), '/', FolderLayout::Purpose::Create));
}
