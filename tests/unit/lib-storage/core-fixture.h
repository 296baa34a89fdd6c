// A Maildir in a temporary directory, and short ways to use it.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "lib-base/log.h"
#include "lib-storage/mailbox-view.h"
#include "lib-storage/mailbox.h"

namespace culver {

class MailboxTest : public ::testing::Test {
protected:
    void SetUp() override {
        char pattern[] = "/tmp/culver-storage-XXXXXX";
        root_ = ::mkdtemp(pattern);
        make("INBOX");
        set_log_sink([](LogLevel, std::string_view) {});
        cache_ = std::make_unique<MailboxCache>();
    }
    void TearDown() override {
        cache_.reset();
        std::filesystem::remove_all(root_);
    }

    void make(const std::string& name) { std::filesystem::create_directories(root_ + "/" + name); }
    MailboxPaths paths(const std::string& name = "INBOX") const {
        std::string path = root_ + "/" + name;
        return {path, path, path, root_};
    }
    MailboxOptions options() const {
        MailboxOptions options;
        options.hostname = "test.example";
        options.user = "bob";
        return options;
    }
    std::shared_ptr<Mailbox> open(const std::string& name = "INBOX") {
        auto mailbox = cache_->open(paths(name), options());
        EXPECT_TRUE(mailbox) << (mailbox ? "" : mailbox.error().detail);
        return mailbox ? *mailbox : nullptr;
    }
    // As another process would: nothing kept.
    void restart() { cache_ = std::make_unique<MailboxCache>(); }
    void restart_without_index() {
        cache_.reset();
        for (const char* file : {"culver.index", "culver.index.log", "culver.cache"})
            ::unlink((root_ + "/INBOX/" + file).c_str());
        cache_ = std::make_unique<MailboxCache>();
    }

    static std::vector<Uid> append(Mailbox& mailbox, const std::string& text, SaveOptions save = {}, int count = 1) {
        auto transaction = mailbox.begin_save();
        EXPECT_TRUE(transaction);
        for (int i = 0; i < count; ++i) {
            EXPECT_TRUE((*transaction)->begin(save));
            EXPECT_TRUE((*transaction)->write(text));
            EXPECT_TRUE((*transaction)->end());
        }
        auto saved = (*transaction)->commit(SaveTransaction::Uids::Durable);
        EXPECT_TRUE(saved) << (saved ? "" : saved.error().detail);
        return saved ? saved->uids : std::vector<Uid>();
    }
    static void deliver(Mailbox& mailbox, const std::string& text) {
        auto transaction = mailbox.begin_save();
        ASSERT_TRUE(transaction);
        ASSERT_TRUE((*transaction)->begin({}));
        ASSERT_TRUE((*transaction)->write(text));
        ASSERT_TRUE((*transaction)->end());
        auto saved = (*transaction)->commit(SaveTransaction::Uids::NotTold);
        ASSERT_TRUE(saved) << saved.error().detail;
    }
    void drop_file(const std::string& place, const std::string& name,
                   const std::string& text = "Subject: x\n\nbody\n") {
        std::filesystem::create_directories(root_ + "/INBOX/" + place);
        std::ofstream(root_ + "/INBOX/" + place + "/" + name) << text;
    }
    std::vector<std::string> files(const std::string& place, const std::string& name = "INBOX") const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(root_ + "/" + name + "/" + place))
            names.push_back(entry.path().filename());
        std::sort(names.begin(), names.end());
        return names;
    }
    std::string read(const std::string& path) const {
        std::ifstream in(root_ + "/" + path);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void write(const std::string& path, const std::string& text) const {
        std::ofstream(root_ + "/" + path, std::ios::trunc) << text;
    }

    static std::unique_ptr<MailboxView> view(Mailbox& mailbox, Mailbox::Access access = Mailbox::Access::ReadWrite) {
        auto opened = mailbox.open_view(access);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().detail);
        return opened ? std::move(*opened) : nullptr;
    }
    static std::vector<std::uint32_t> uids(MailboxView& view) {
        std::vector<std::uint32_t> all;
        view.visit_all([&](Seq, const MessageInfo& info) { all.push_back(info.uid.value); });
        return all;
    }
    static ViewChanges sync(MailboxView& view, MailboxView::Expunges expunges = MailboxView::Expunges::Report) {
        auto changes = view.sync(expunges);
        EXPECT_TRUE(changes) << (changes ? "" : changes.error().detail);
        return changes ? *changes : ViewChanges();
    }
    static StoreResult store(Mailbox& mailbox, std::vector<Uid> uids, FlagOperation operation, std::uint8_t system,
                             std::vector<std::string> keywords = {}) {
        StoreChange change;
        change.operation = operation;
        change.system = system;
        change.keywords = std::move(keywords);
        auto stored = mailbox.store(uids, change);
        EXPECT_TRUE(stored) << (stored ? "" : stored.error().detail);
        return stored ? *stored : StoreResult();
    }

    std::string root_;
    std::unique_ptr<MailboxCache> cache_;
};

}  // namespace culver
