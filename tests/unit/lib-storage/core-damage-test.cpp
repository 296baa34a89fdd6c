// Files that are missing, torn, full of rubbish, or no files at all: nothing is lost, nobody waits, nobody dies.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <sstream>
#include <thread>

#include "tests/unit/lib-storage/core-fixture.h"

namespace culver {
namespace {

class DamageTest : public MailboxTest {
protected:
    using Story = std::vector<std::tuple<std::uint32_t, std::uint8_t, std::string>>;

    void SetUp() override {
        MailboxTest::SetUp();
        {
            auto mailbox = open();
            append(*mailbox, "Subject: m\n\nbody\n", {}, 8);
            store(*mailbox, {{2}, {5}}, FlagOperation::Add, kSeen, {"kw"});
            store(*mailbox, {{3}}, FlagOperation::Add, kDeleted);
            EXPECT_TRUE(mailbox->expunge({}));
            append(*mailbox, "Subject: m\n\nlater\n", {});
            before_ = tell(*mailbox);
            modseq_ = mailbox->status()->highest_modseq.value;
            uid_validity_ = mailbox->uid_validity();
        }
        cache_.reset();  // everything is written out
    }

    static Story tell(Mailbox& mailbox) {
        Story story;
        auto session = view(mailbox);
        auto keywords = mailbox.keywords();
        session->visit_all([&](Seq, const MessageInfo& info) {
            std::string names;
            for (std::size_t i = 0; i < keywords.size(); ++i)
                if (info.flags.keywords.test(i)) names += keywords[i] + " ";
            // \Flagged is what expect_nothing_lost toggles; a log that lost its end may have forgotten the last toggle.
            story.emplace_back(info.uid.value, info.flags.system & ~kFlagged, names);
        });
        return story;
    }

    void expect_nothing_lost(const std::string& what) {
        cache_ = std::make_unique<MailboxCache>();
        {
            auto mailbox = open();
            ASSERT_NE(mailbox, nullptr) << what;
            EXPECT_EQ(tell(*mailbox), before_) << what;
            auto status = mailbox->status();
            ASSERT_TRUE(status);
            EXPECT_EQ(status->uid_validity, uid_validity_) << what;
            EXPECT_GE(status->highest_modseq.value, modseq_) << what;
            EXPECT_EQ(status->uid_next.value, 10U) << what;
            modseq_ = status->highest_modseq.value;
            EXPECT_TRUE(mailbox->open_message({9})) << what;
            store(*mailbox, {{1}}, FlagOperation::Add, kFlagged);
            EXPECT_EQ(store(*mailbox, {{1}}, FlagOperation::Remove, kFlagged).changed.size(), 1U) << what;
        }
        cache_.reset();
    }

    Story before_;
    std::uint64_t modseq_ = 0;
    std::uint32_t uid_validity_ = 0;
};

TEST_F(DamageTest, OwnFilesOfAnyLengthAndContent) {
    std::mt19937 random(1);
    for (const char* name :
         {"INBOX/culver.index", "INBOX/culver.index.log", "INBOX/culver.cache", "INBOX/culver.modseq"}) {
        std::string path = name;
        expect_nothing_lost("before " + path);
        const std::string good = read(path);
        for (std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{17}, good.size() / 2,
                                   good.size() > 0 ? good.size() - 1 : 0}) {
            write(path, good.substr(0, length));
            expect_nothing_lost(path + " cut to " + std::to_string(length));
        }
        for (int i = 0; i < 10; ++i) {
            std::string bad = read(path);
            if (bad.empty()) break;
            bad[random() % bad.size()] ^= static_cast<char>(1 << (random() % 8));
            write(path, bad);
            expect_nothing_lost(path + " with a wrong bit");
        }
        write(path, std::string(5000, '\xff'));
        expect_nothing_lost(path + " full of rubbish");
        ::unlink((root_ + "/" + path).c_str());
        expect_nothing_lost(path + " missing");
        ::unlink((root_ + "/" + path).c_str());
        ASSERT_EQ(::mkfifo((root_ + "/" + path).c_str(), 0600), 0);
        expect_nothing_lost(path + " a FIFO");
        ::unlink((root_ + "/" + path).c_str());
    }
}

TEST_F(DamageTest, TheIndexIsDamagedWhileSessionsAreOpen) {
    cache_ = std::make_unique<MailboxCache>();
    auto mailbox = open();
    auto session = view(*mailbox);
    write("INBOX/culver.index.log", "rubbish");
    EXPECT_EQ(store(*mailbox, {{1}}, FlagOperation::Add, kFlagged).changed.size(), 1U);
    sync(*session);
    write("INBOX/culver.index.log", "");
    ::unlink((root_ + "/INBOX/culver.index").c_str());
    EXPECT_EQ(store(*mailbox, {{1}}, FlagOperation::Remove, kFlagged).changed.size(), 1U);
    auto changes = sync(*session);
    EXPECT_TRUE(changes.expunged_uids.empty());
    EXPECT_EQ(session->exists(), 8U);
    session.reset();
    mailbox.reset();
    cache_.reset();
    expect_nothing_lost("damage in use");
}

TEST_F(DamageTest, TheUidlistIsMissingTornOrRubbishButTheIndexKnows) {
    const std::string good = read("INBOX/dovecot-uidlist");
    ::unlink((root_ + "/INBOX/dovecot-uidlist").c_str());
    expect_nothing_lost("uidlist missing");
    for (const std::string& bad :
         {std::string(), std::string("rubbish"), std::string(3000, '\0'), good.substr(0, good.size() / 2),
          good.substr(0, good.size() - 5), good + "11 :half", good + "\n\nx y z\n", good.substr(0, 10)}) {
        write("INBOX/dovecot-uidlist", bad);
        expect_nothing_lost("uidlist: " + bad.substr(0, 40));
        EXPECT_TRUE(read("INBOX/dovecot-uidlist").ends_with("\n"));
    }
}

TEST_F(DamageTest, WithoutAnIndexATornUidlistKeepsWhatItSays) {
    for (const char* file : {"culver.index", "culver.index.log"}) ::unlink((root_ + "/INBOX/" + file).c_str());
    write("INBOX/dovecot-uidlist", read("INBOX/dovecot-uidlist") + "17 :1700000000.torn-of");
    expect_nothing_lost("torn uidlist");
}

TEST_F(DamageTest, AUidlistOfVersionOneIsRead) {
    for (const char* file : {"culver.index", "culver.index.log"}) ::unlink((root_ + "/INBOX/" + file).c_str());
    std::string text = read("INBOX/dovecot-uidlist"), old = "1 " + std::to_string(uid_validity_) + " 10\n";
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line))
        old += line.substr(0, line.find(' ')) + " " + line.substr(line.find(':') + 1) + "\n";
    write("INBOX/dovecot-uidlist", old);
    expect_nothing_lost("version 1");
    EXPECT_TRUE(read("INBOX/dovecot-uidlist").starts_with("3 V"));
}

TEST_F(DamageTest, LocksOfDeadProcessesAreNotWaitedFor) {
    auto begin = std::chrono::steady_clock::now();
    for (const std::string& content : {std::string("999999999:test.example"), std::string()}) {
        write("INBOX/dovecot-uidlist.lock", content);
        cache_ = std::make_unique<MailboxCache>();
        auto mailbox = open();
        EXPECT_EQ(append(*mailbox, "x\n").size(), 1U);
        mailbox.reset();
        cache_.reset();
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(6));
}

TEST_F(DamageTest, OddThingsInTheDirectoriesAreNoMessages) {
    std::string inbox = root_ + "/INBOX/";
    ASSERT_EQ(::mkfifo((inbox + "cur/1700000001.fifo.host:2,S").c_str(), 0600), 0);
    ASSERT_EQ(::mkfifo((inbox + "new/1700000001.fifo.host").c_str(), 0600), 0);
    ASSERT_EQ(::symlink("/etc/passwd", (inbox + "cur/1700000001.link.host:2,").c_str()), 0);
    std::filesystem::create_directory(inbox + "cur/1700000001.dir.host:2,");
    write("INBOX/cur/:2,S", "x");
    expect_nothing_lost("odd things");
}

TEST_F(DamageTest, TheFileOfAMessageIsReplacedByAFifo) {
    cache_ = std::make_unique<MailboxCache>();
    auto mailbox = open();
    std::string path = root_ + "/INBOX/cur/" + *mailbox->message_guid({1}) + ":2,";
    ASSERT_TRUE(std::filesystem::exists(path));
    ::unlink(path.c_str());
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_FALSE(mailbox->open_message({1}));
}

TEST_F(DamageTest, TwoFilesWithOneIdentityAreTwoMessages) {
    auto names = files("cur");
    std::string base = names[0].substr(0, names[0].find(':'));
    write("INBOX/new/" + base, "Subject: other\n\nother\n");
    cache_ = std::make_unique<MailboxCache>();
    auto mailbox = open();
    auto session = view(*mailbox);
    ::usleep(10000);
    sync(*session);
    EXPECT_EQ(session->exists(), 9U);
}

TEST_F(DamageTest, AFileThatMovesDuringScansIsNotExpunged) {
    cache_ = std::make_unique<MailboxCache>();
    auto mailbox = open();
    auto session = view(*mailbox);
    std::atomic<bool> stop = false;
    std::string cur = root_ + "/INBOX/cur/";
    auto names = files("cur");
    std::thread mover([&] {
        std::string name = names[0], stem = name.substr(0, name.find(':'));
        for (int i = 0; !stop; ++i) {
            std::string next = stem + (i % 2 == 0 ? ":2,FS" : ":2,S");
            std::error_code error;
            std::filesystem::rename(cur + name, cur + next, error);
            if (!error) name = next;
        }
    });
    for (int i = 0; i < 200; ++i) {
        auto changes = sync(*session);
        ASSERT_TRUE(changes.expunged_uids.empty());
        ASSERT_EQ(session->exists(), 8U);
    }
    stop = true;
    mover.join();
}

// Runs `work` in a child process and returns its exit code.
int in_child(const std::function<int()>& work) {
    pid_t child = ::fork();
    if (child == 0) ::_exit(work());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST_F(DamageTest, AReadOnlyMailboxCanBeRead) {
    if (::getuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
    for (const char* directory : {"", "/INBOX", "/INBOX/cur", "/INBOX/new", "/INBOX/tmp"})
        ::chmod((root_ + directory).c_str(), 0555);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root_ + "/INBOX"))
        if (entry.is_regular_file()) ::chmod(entry.path().c_str(), 0444);
    for (bool with_index : {true, false}) {
        if (!with_index)
            for (const char* file : {"culver.index", "culver.index.log", "culver.lock"})
                ::unlink((root_ + "/INBOX/" + file).c_str());
        EXPECT_EQ(in_child([&] {
                      if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 10;
                      MailboxCache cache;
                      auto mailbox = cache.open(paths(), options());
                      if (!mailbox) return 11;
                      if (!(*mailbox)->is_read_only()) return 12;
                      if (tell(**mailbox) != before_) return 13;
                      if (!(*mailbox)->open_message({1})) return 14;
                      StoreChange change;
                      change.system = kSeen;
                      Uid uid{1};
                      auto stored = (*mailbox)->store(std::span(&uid, 1), change);
                      if (stored || stored.error().code != ErrorCode::NoPermission) return 15;
                      auto save = (*mailbox)->begin_save();
                      if (save && (*save)->begin({})) return 16;
                      return 0;
                  }),
                  0)
            << (with_index ? "with" : "without") << " an index";
    }
}

TEST_F(DamageTest, AWriteThatFailsLeavesNothingAndTheSessionLivesOn) {
    EXPECT_EQ(in_child([&] {
                  ::signal(SIGXFSZ, SIG_IGN);
                  MailboxCache cache;
                  auto mailbox = cache.open(paths(), options());
                  if (!mailbox) return 10;
                  struct rlimit limit = {40, RLIM_INFINITY};  // stands for a full disk: no file may grow past it
                  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 11;
                  for (int i = 0; i < 3; ++i) {
                      auto save = (*mailbox)->begin_save();
                      if (!save || !(*save)->begin({})) return 12;
                      (void)(*save)->write(std::string(20, 'x'));
                      (void)(*save)->end();
                      if ((*save)->commit(SaveTransaction::Uids::Durable)) return 13;
                  }
                  StoreChange change;
                  change.system = kDraft;
                  Uid uid{1};
                  if ((*mailbox)->store(std::span(&uid, 1), change)) return 14;
                  if (tell(**mailbox) != before_) return 15;
                  limit.rlim_cur = RLIM_INFINITY;
                  ::setrlimit(RLIMIT_FSIZE, &limit);
                  if (!(*mailbox)->store(std::span(&uid, 1), change)) return 16;
                  change.operation = FlagOperation::Remove;
                  if (!(*mailbox)->store(std::span(&uid, 1), change)) return 17;
                  if (!files("tmp").empty()) return 18;
                  mailbox->reset();
                  return tell(**cache.open(paths(), options())) == before_ ? 0 : 19;
              }),
              0);
    cache_ = std::make_unique<MailboxCache>();
    EXPECT_EQ(tell(*open()), before_);
}

TEST_F(DamageTest, WithoutAnIndexDirectoryEverythingWorksInMemory) {
    cache_ = std::make_unique<MailboxCache>();
    MailboxPaths where = paths();
    where.index.clear();
    {
        auto mailbox = *cache_->open(where, options());
        EXPECT_EQ(tell(*mailbox), before_);
        store(*mailbox, {{1}}, FlagOperation::Add, kFlagged);
        append(*mailbox, "x\n");
        EXPECT_EQ(mailbox->status()->messages, 9U);
    }
    cache_ = std::make_unique<MailboxCache>();
    auto mailbox = *cache_->open(where, options());
    auto session = view(*mailbox);
    EXPECT_EQ(session->exists(), 9U);
    EXPECT_EQ(session->info({1})->flags.system, kFlagged);
}

TEST_F(DamageTest, ADeletedMailboxSaysSo) {
    cache_ = std::make_unique<MailboxCache>();
    auto mailbox = open();
    auto session = view(*mailbox);
    cache_->forget(paths());
    std::filesystem::remove_all(root_ + "/INBOX");
    auto changes = session->sync(MailboxView::Expunges::Report);
    ASSERT_FALSE(changes);
    EXPECT_EQ(changes.error().code, ErrorCode::NotFound);
    EXPECT_FALSE(cache_->open(paths(), options()));
}

}  // namespace
}  // namespace culver
