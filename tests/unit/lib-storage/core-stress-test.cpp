// Several threads and several processes on one mailbox, and processes that die at any moment.
#include <signal.h>
#include <sys/wait.h>

#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "tests/unit/lib-storage/core-fixture.h"

namespace culver {
namespace {

class StressTest : public MailboxTest {
protected:
    // What a session does all day. Every message body is unique.
    static void work(Mailbox& mailbox, Mailbox& other, unsigned seed, int rounds) {
        std::mt19937 random(seed);
        auto session = view(mailbox);
        for (int i = 0; i < rounds; ++i) {
            std::string body = "id " + std::to_string(seed) + "-" + std::to_string(i) + "\n";
            switch (random() % 7) {
                case 0: append(mailbox, body); break;
                case 1: deliver(mailbox, body); break;
                case 2:
                    if (session->exists() > 0) {
                        Uid uid = session->uid_at({static_cast<std::uint32_t>(random() % session->exists() + 1)});
                        store(mailbox, {uid}, random() % 2 == 0 ? FlagOperation::Add : FlagOperation::Remove, kSeen,
                              random() % 4 == 0 ? std::vector<std::string>{"k" + std::to_string(random() % 5)}
                                                : std::vector<std::string>());
                    }
                    break;
                case 3:
                    if (session->exists() > 20) {
                        Uid uid = session->uid_at({static_cast<std::uint32_t>(random() % session->exists() + 1)});
                        store(mailbox, {uid}, FlagOperation::Add, kDeleted);
                        EXPECT_TRUE(mailbox.expunge(std::span<const Uid>(&uid, 1)));
                    }
                    break;
                case 4:
                    if (session->exists() > 0) {
                        Uid uid = session->uid_at({static_cast<std::uint32_t>(random() % session->exists() + 1)});
                        auto copied = mailbox.copy_to(other, std::span(&uid, 1));
                        EXPECT_TRUE(copied) << copied.error().detail;
                    }
                    break;
                case 5:
                    if (session->exists() > 0) {
                        Uid uid = session->uid_at({static_cast<std::uint32_t>(random() % session->exists() + 1)});
                        auto file = mailbox.open_message(uid);
                        if (file) {
                            EXPECT_TRUE((*file)->bytes().starts_with("id "));
                        } else {
                            EXPECT_EQ(file.error().code, ErrorCode::NotFound) << file.error().detail;
                        }
                        mailbox.cache(uid, CacheField::Body, "value");
                        mailbox.cached(uid, CacheField::Body,
                                       [](std::string_view value) { EXPECT_EQ(value, "value"); });
                    }
                    break;
                default: break;
            }
            auto changes =
                sync(*session, random() % 2 == 0 ? MailboxView::Expunges::Report : MailboxView::Expunges::Hold);
            std::uint32_t last = 0;
            session->visit_all([&](Seq, const MessageInfo& info) {
                EXPECT_GT(info.uid.value, last);
                last = info.uid.value;
            });
            if (HasFailure()) return;
        }
    }

    // Index and disk must tell the same story, also when the index is made anew.
    void expect_consistent() {
        auto collect = [&] {
            std::map<std::uint32_t, std::pair<MessageFlags, std::string>> story;
            auto mailbox = open();
            auto session = view(*mailbox);
            session->visit_all([&](Seq, const MessageInfo& info) { story[info.uid.value].first = info.flags; });
            for (auto& [uid, entry] : story) {
                auto file = mailbox->open_message({uid});
                EXPECT_TRUE(file) << uid;
                if (file) entry.second = (*file)->bytes();
            }
            return story;
        };
        restart();
        auto with_index = collect();
        restart_without_index();
        auto without_index = collect();
        EXPECT_EQ(with_index, without_index);
        EXPECT_EQ(files("cur").size() + files("new").size(), with_index.size());
    }
};

TEST_F(StressTest, ThreadsOnOneMailboxDoNotDisturbEachOther) {
    make("Other");
    auto mailbox = open(), other = open("Other");
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 4; ++i) threads.emplace_back([&, i] { work(*mailbox, *other, i, 60); });
    for (auto& thread : threads) thread.join();
    mailbox.reset();
    other.reset();
    expect_consistent();
}

TEST_F(StressTest, ProcessesOnOneMailboxDoNotDisturbEachOther) {
    make("Other");
    cache_.reset();
    std::vector<pid_t> children;
    for (unsigned i = 0; i < 3; ++i) {
        pid_t child = ::fork();
        if (child == 0) {
            MailboxCache cache;
            {
                auto mailbox = cache.open(paths(), options()), other = cache.open(paths("Other"), options());
                std::thread second([&] { work(**mailbox, **other, 100 + i, 40); });
                work(**mailbox, **other, 200 + i, 40);
                second.join();
            }
            cache.flush();
            ::_exit(HasFailure() ? 1 : 0);
        }
        children.push_back(child);
    }
    for (pid_t child : children) {
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    expect_consistent();
}

// A line per acknowledged change on `report`.
[[noreturn]] void victim(const MailboxPaths& paths, const MailboxOptions& options, unsigned seed, int report) {
    auto say = [report](const std::string& line) {
        std::string whole = line + "\n";
        if (::write(report, whole.data(), whole.size()) < 0) ::_exit(2);
    };
    MailboxCache cache;
    auto mailbox = cache.open(paths, options);
    if (!mailbox) ::_exit(3);
    std::mt19937 random(seed);
    for (int i = 0;; ++i) {
        std::string id = std::to_string(seed) + "-" + std::to_string(i);
        auto save = (*mailbox)->begin_save();
        if (!save || !(*save)->begin({}) || !(*save)->write("id " + id + "\n") || !(*save)->end()) ::_exit(4);
        auto saved = (*save)->commit(SaveTransaction::Uids::Durable);
        if (!saved) ::_exit(5);
        Uid uid = saved->uids.at(0);
        say("A " + std::to_string(uid.value) + " " + id);
        StoreChange change;
        change.system = random() % 3 == 0 ? kDeleted : kFlagged;
        if (random() % 4 == 0) change.keywords = {"kw"};
        auto stored = (*mailbox)->store(std::span(&uid, 1), change);
        if (!stored) ::_exit(6);
        if (change.system != kDeleted) {
            say("F " + std::to_string(uid.value) + (change.keywords.empty() ? " 0" : " 1"));
        } else {
            say("T " + std::to_string(uid.value));
            if (!(*mailbox)->expunge(std::span<const Uid>(&uid, 1))) ::_exit(7);
            say("X " + std::to_string(uid.value));
        }
        if (random() % 10 == 0) cache.flush();
    }
}

TEST_F(StressTest, KillingAProcessAtAnyMomentLosesNothingThatWasAcknowledged) {
    cache_.reset();
    std::map<std::uint32_t, std::string> alive;  // uid -> id
    std::map<std::uint32_t, int> flagged;        // uid -> with keyword
    std::set<std::uint32_t> dead, doomed;
    std::mt19937 random(7);
    const char* rounds_text = std::getenv("CULVER_KILL_ROUNDS");
    const int rounds = rounds_text != nullptr ? std::atoi(rounds_text) : 12;
    for (int round = 0; round < rounds; ++round) {
        int report[2];
        ASSERT_EQ(::pipe(report), 0);
        ::fcntl(report[1], F_SETPIPE_SZ, 1 << 20);
        pid_t child = ::fork();
        if (child == 0) victim(paths(), options(), static_cast<unsigned>(round + 1), report[1]);
        ::close(report[1]);
        ::usleep(20000 + random() % 150000);
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
        std::string text;
        char buffer[65536];
        for (ssize_t n; (n = ::read(report[0], buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(n));
        ::close(report[0]);
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            char what;
            std::uint32_t uid;
            words >> what >> uid;
            if (what == 'A') {
                std::string id;
                words >> id;
                ASSERT_FALSE(alive.contains(uid) || dead.contains(uid)) << "uid " << uid << " given twice";
                alive[uid] = id;
            } else if (what == 'F') {
                words >> flagged[uid];
            } else if (what == 'T') {
                doomed.insert(uid);
            } else if (what == 'X') {
                alive.erase(uid);
                dead.insert(uid);
            }
        }
        // Every time as a fresh process would see it.
        cache_ = std::make_unique<MailboxCache>();
        {
            auto mailbox = open();
            ASSERT_NE(mailbox, nullptr);
            auto session = view(*mailbox);
            std::set<std::string> ids;
            std::map<std::uint32_t, MessageFlags> found;
            session->visit_all([&](Seq, const MessageInfo& info) { found[info.uid.value] = info.flags; });
            for (const auto& [uid, flags] : found) {
                auto file = mailbox->open_message({uid});
                ASSERT_TRUE(file) << uid;
                EXPECT_TRUE(ids.insert(std::string((*file)->bytes())).second) << "twice: " << (*file)->bytes();
                EXPECT_FALSE(dead.contains(uid)) << "came back: " << uid;
                if (alive.contains(uid)) EXPECT_EQ((*file)->bytes(), "id " + alive[uid] + "\n");
                if (flagged.contains(uid)) {
                    EXPECT_TRUE((flags.system & kFlagged) != 0) << uid;
                    if (flagged[uid] != 0) EXPECT_TRUE(flags.keywords.any()) << uid;
                }
            }
            // One may have been expunged without its X being written.
            int unsaid = 0;
            for (const auto& [uid, id] : alive)
                if (!found.contains(uid)) {
                    EXPECT_TRUE(doomed.contains(uid)) << "lost: " << uid << " " << id;
                    ++unsaid;
                }
            EXPECT_LE(unsaid, round + 1);
        }
        cache_.reset();
        if (HasFailure()) return;
    }
    EXPECT_GT(alive.size() + dead.size(), 0U);
    EXPECT_TRUE(files("tmp").size() <= static_cast<std::size_t>(rounds));
}

}  // namespace
}  // namespace culver
