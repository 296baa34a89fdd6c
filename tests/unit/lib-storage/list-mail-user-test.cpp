#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "lib-config/load.h"
#include "lib-storage/mail-user.h"

using namespace culver;
namespace fs = std::filesystem;

namespace {

constexpr char kPlain[] =
    "mail_location = maildir:~/Maildir\n"
    "namespace inbox {\n inbox = yes\n separator = /\n"
    " mailbox Drafts {\n special_use = \\Drafts\n }\n"
    " mailbox Sent {\n special_use = \\Sent\n auto = subscribe\n }\n"
    " mailbox Trash {\n special_use = \\Trash\n auto = create\n }\n}\n";

constexpr char kSeveral[] =
    "mail_location = maildir:~/Maildir\n"
    "namespace inbox {\n inbox = yes\n prefix = INBOX.\n separator = .\n}\n"
    "namespace pub {\n type = public\n prefix = Public.\n separator = .\n list = children\n subscriptions = no\n"
    " location = maildir:~/pub\n}\n"
    "namespace archive {\n prefix = Archive.\n separator = .\n location = maildir:~/archive:LAYOUT=fs\n}\n"
    "namespace hidden {\n prefix = Hid.\n separator = .\n hidden = yes\n list = no\n subscriptions = no\n"
    " location = maildir:~/hid\n}\n"
    "namespace subs {\n prefix =\n separator = .\n hidden = yes\n list = no\n location = maildir:~/subs\n}\n";

class MailUserTest : public ::testing::Test {
protected:
    void SetUp() override {
        // In memory where there is such a place: thousands of directories are made here.
        std::string name =
            std::filesystem::is_directory("/dev/shm") ? "/dev/shm/culver-user-XXXXXX" : "/tmp/culver-user-XXXXXX";
        ASSERT_TRUE(::mkdtemp(name.data()));
        home_ = name;
    }
    void TearDown() override {
        user_.reset();
        cache_.reset();
        fs::remove_all(home_);
    }

    Result<std::unique_ptr<MailUser>> try_open(const std::string& configuration) {
        std::ofstream(home_ + "/dovecot.conf") << configuration;
        LoadOptions options;
        options.path = home_ + "/dovecot.conf";
        const LoadedSettings loaded = load_settings(options);
        for (const auto& problem : loaded.diagnostics)
            EXPECT_NE(problem.severity, Severity::Error) << problem.where.to_string() << " " << problem.text;
        MailUserIdentity identity;
        identity.username = "alice";
        identity.home = home_;
        identity.settings = loaded.settings;
        return MailUser::open(identity, *cache_);
    }
    void open(const std::string& configuration) {
        auto user = try_open(configuration);
        ASSERT_TRUE(user) << user.error().detail;
        user_ = std::move(*user);
    }
    static MailboxName name(const std::string& text) { return *MailboxName::parse(text); }
    std::string refusal(const Status& status) const { return status ? "OK" : status.error().client; }

    // Entries as text: name, then what LIST would say.
    std::vector<std::string> list(ListQuery query) {
        const auto entries = user_->list(query);
        EXPECT_TRUE(entries) << entries.error().detail;
        std::vector<std::string> lines;
        if (!entries) return lines;
        for (const ListEntry& entry : *entries) {
            std::string line = entry.name;
            if (entry.noselect) line += " \\Noselect";
            if (entry.nonexistent) line += " \\NonExistent";
            if (entry.has_children && *entry.has_children) line += " \\HasChildren";
            if (entry.subscribed) line += " \\Subscribed";
            if (entry.child_subscribed) line += " CHILDINFO";
            for (const std::string& use : entry.special_use) line += " " + use;
            lines.push_back(line);
        }
        return lines;
    }
    std::vector<std::string> list(const std::string& pattern) {
        ListQuery query;
        query.patterns = {pattern};
        return list(query);
    }
    std::vector<std::string> subscribed(const std::string& pattern, bool recursive = false) {
        ListQuery query;
        query.patterns = {pattern};
        query.select_subscribed = true;
        query.select_recursive_match = recursive;
        return list(query);
    }

    std::string home_;
    std::unique_ptr<MailboxCache> cache_ = std::make_unique<MailboxCache>();
    std::unique_ptr<MailUser> user_;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_F(MailUserTest, ListShowsWhatDovecotShows) {
    open(kPlain);
    for (const char* box : {"A/B/C", "X Y"}) ASSERT_TRUE(user_->create(name(box)));
    EXPECT_EQ(list("*"), (Lines{"INBOX", "A \\NonExistent \\HasChildren", "A/B \\NonExistent \\HasChildren", "A/B/C",
                                "Sent \\Sent", "Trash \\Trash", "X Y"}));
    EXPECT_EQ(list("%"), (Lines{"INBOX", "A \\NonExistent \\HasChildren", "Sent \\Sent", "Trash \\Trash", "X Y"}));
    EXPECT_EQ(list("A/%"), Lines{"A/B \\NonExistent \\HasChildren"});
    EXPECT_EQ(list("inbox"), Lines{"INBOX"});
    EXPECT_EQ(list(""), Lines{" \\Noselect"});
    ListQuery query;
    query.reference = "A/";
    query.patterns = {"%"};
    EXPECT_EQ(list(query), Lines{"A/B \\NonExistent \\HasChildren"});
    query = {};
    query.patterns = {"*"};
    query.select_special_use = true;
    EXPECT_EQ(list(query), (Lines{"Sent \\Sent", "Trash \\Trash"}));
}

TEST_F(MailUserTest, SubscriptionsFollowRfc5258) {
    open(kPlain);
    ASSERT_TRUE(user_->create(name("A/B/C")));
    ASSERT_TRUE(user_->subscribe(name("A/B/C"), true));
    EXPECT_EQ(refusal(user_->subscribe(name("Nope"), true)), "Mailbox doesn't exist: Nope");
    EXPECT_TRUE(user_->subscribe(name("Nope"), false));
    // A mailbox with auto = subscribe is subscribed whatever the file says.
    EXPECT_EQ(subscribed("*"), (Lines{"A/B/C \\Subscribed", "Sent \\Subscribed \\Sent"}));
    EXPECT_EQ(subscribed("%"), Lines{"Sent \\Subscribed \\Sent"});
    EXPECT_EQ(subscribed("%", true), (Lines{"A \\NonExistent \\HasChildren CHILDINFO", "Sent \\Subscribed \\Sent"}));
    EXPECT_EQ(subscribed("*", true), (Lines{"A/B/C \\Subscribed", "Sent \\Subscribed \\Sent"}));
    ASSERT_TRUE(user_->remove(name("A/B/C")));
    EXPECT_EQ(subscribed("A*"), Lines{"A/B/C \\NonExistent \\Subscribed"});
    std::ifstream file(home_ + "/Maildir/subscriptions");
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    EXPECT_EQ(text, "V\t2\n\nA\tB\tC\n");
}

TEST_F(MailUserTest, RefusalsHaveDovecotsWords) {
    open(kPlain);
    ASSERT_TRUE(user_->create(name("A")));
    EXPECT_EQ(refusal(user_->create(name("A"))), "Mailbox already exists");
    EXPECT_EQ(refusal(user_->create(name("inbox"))), "Mailbox already exists");
    EXPECT_EQ(refusal(user_->create(name("a.b"))), "Character not allowed in mailbox name: '.'");
    EXPECT_EQ(refusal(user_->create(name("a//b"))), "Invalid mailbox name: Has adjacent hierarchy separators");
    EXPECT_EQ(refusal(user_->create(name("/a"))), "Invalid mailbox name: Begins with hierarchy separator");
    EXPECT_EQ(refusal(user_->remove(name("INBOX"))), "INBOX can't be deleted.");
    EXPECT_EQ(refusal(user_->remove(name("Nope"))), "Mailbox doesn't exist: Nope");
    EXPECT_EQ(refusal(user_->rename(name("INBOX"), name("x"))), "Renaming INBOX isn't supported.");
    EXPECT_EQ(refusal(user_->rename(name("Nope"), name("x"))), "Mailbox doesn't exist: Nope");
    EXPECT_EQ(refusal(user_->rename(name("A"), name("A/b"))), "Can't rename mailbox under its own child.");
    EXPECT_EQ(refusal(user_->rename(name("A"), name("A"))), "Can't rename mailbox to itself.");
    EXPECT_EQ(refusal(user_->rename(name("A"), name("INBOX"))), "Target mailbox already exists");
    EXPECT_EQ(user_->open_mailbox(name("Drafts")).error().client, "Mailbox doesn't exist: Drafts");
}

TEST_F(MailUserTest, MailboxesAreMadeWhenTheyAreToBe) {
    open(kPlain);
    EXPECT_FALSE(fs::exists(home_ + "/Maildir"));
    ASSERT_TRUE(user_->open_mailbox(name("INBOX")));
    EXPECT_TRUE(fs::is_directory(home_ + "/Maildir/cur"));
    ASSERT_TRUE(user_->open_mailbox(name("Sent")));
    EXPECT_TRUE(fs::is_directory(home_ + "/Maildir/.Sent/cur"));
    ASSERT_TRUE(user_->open_for_delivery(name("Lists/x"), MailUser::Create::AndSubscribe));
    EXPECT_EQ(subscribed("L*"), Lines{"Lists/x \\Subscribed"});
    ASSERT_TRUE(user_->create(name("foo/")));
    EXPECT_TRUE(user_->exists(name("foo")));
}

TEST_F(MailUserTest, AMailboxMadeAgainGetsANewUidValidity) {
    open(kPlain);
    ASSERT_TRUE(user_->create(name("A")));
    const std::uint32_t first = user_->status(name("A"))->uid_validity;
    ASSERT_TRUE(user_->remove(name("A")));
    ASSERT_TRUE(user_->create(name("A")));
    EXPECT_GT(user_->status(name("A"))->uid_validity, first);
}

TEST_F(MailUserTest, NamesLeadNowhereElse) {
    for (const char* location :
         {"mail_location = maildir:~/Maildir\n", "mail_location = maildir:~/Maildir:LAYOUT=fs\n"}) {
        open(location);
        ASSERT_TRUE(user_->open_mailbox(name("INBOX")));
        for (const char* bad : {"../x", "..", "a/../../x", "/etc", "./x", "x/.", "~root", "a//b"}) {
            const auto parsed = MailboxName::parse(bad);
            ASSERT_TRUE(parsed);
            EXPECT_FALSE(user_->create(*parsed)) << bad;
            EXPECT_FALSE(user_->remove(MailboxName::from_disk(bad))) << bad;
            EXPECT_FALSE(user_->open_mailbox(MailboxName::from_disk(bad))) << bad;
        }
        EXPECT_FALSE(fs::exists(home_ + "/x"));
    }
}

TEST_F(MailUserTest, SeveralNamespacesShareOneNameSpace) {
    open(kSeveral);
    for (const char* box : {"INBOX.foo", "Public.x.y", "Archive.2024", "Hid.h", "bar"}) {
        const Status made = user_->create(name(box));
        ASSERT_TRUE(made) << box << made.error().detail;
    }
    EXPECT_TRUE(fs::is_directory(home_ + "/Maildir/.foo/cur"));
    EXPECT_TRUE(fs::is_directory(home_ + "/pub/.x.y/cur"));
    EXPECT_TRUE(fs::is_directory(home_ + "/archive/2024/cur"));
    EXPECT_EQ(list("*"),
              (Lines{"INBOX \\HasChildren", "INBOX.foo", "Archive \\Noselect \\HasChildren", "Archive.2024",
                     "Public \\Noselect \\HasChildren", "Public.x \\NonExistent \\HasChildren", "Public.x.y"}));
    EXPECT_EQ(list("Hid.%"), Lines{"Hid.h"});
    EXPECT_EQ(list("Hid"), Lines{});
    EXPECT_EQ(refusal(user_->create(name("INBOX.INBOX"))), "Mailbox already exists");
    EXPECT_EQ(refusal(user_->remove(name("Archive"))), "Storage root can't be deleted");
    EXPECT_EQ(refusal(user_->rename(name("INBOX.foo"), name("Public.foo"))),
              "Can't rename mailboxes across specified storages.");
    for (const char* box : {"INBOX.foo", "Public.x.y", "Archive.2024", "Hid.h"})
        ASSERT_TRUE(user_->subscribe(name(box), true)) << box;
    EXPECT_EQ(subscribed("*"),
              (Lines{"INBOX.foo \\Subscribed", "Archive.2024 \\Subscribed", "Public.x.y \\Subscribed"}));
    EXPECT_TRUE(fs::exists(home_ + "/subs/subscriptions"));
    EXPECT_FALSE(fs::exists(home_ + "/pub/subscriptions"));
}

TEST_F(MailUserTest, AnEmptyLocationIsDetected) {
    const auto nothing = try_open("");
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().detail,
              "mail_location not set and autodetection failed: Mail storage autodetection failed with home=" + home_);
    fs::create_directories(home_ + "/Maildir/cur");
    open("");
    EXPECT_EQ(user_->namespaces().at(0).separator, '.');
}

TEST_F(MailUserTest, OneOfManyCreatesTheMailboxAndNoneSeesHalfOfIt) {
    open(kPlain);
    std::atomic<int> made = 0, refused = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int k = 0; k < 10; ++k) {
                const Status status = user_->create(name("box" + std::to_string(k)));
                if (status) {
                    ++made;
                } else if (status.error().code == ErrorCode::AlreadyExists) {
                    ++refused;
                }
                (void)user_->subscribe(name("box" + std::to_string(k)), true);
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(made, 10);
    EXPECT_EQ(refused, 30);
    EXPECT_EQ(subscribed("box*").size(), 10u);
}
