#include "tests/unit/lib-storage/core-fixture.h"

namespace culver {
namespace {

TEST_F(MailboxTest, AnEmptyMailboxHasAUidvalidityAndNothingElse) {
    auto mailbox = open();
    auto status = mailbox->status();
    ASSERT_TRUE(status);
    EXPECT_EQ(status->messages, 0U);
    EXPECT_EQ(status->uid_next.value, 1U);
    EXPECT_NE(status->uid_validity, 0U);
    EXPECT_EQ(status->guid.size(), 32U);
    EXPECT_TRUE(read("INBOX/dovecot-uidlist")
                    .starts_with("3 V" + std::to_string(status->uid_validity) + " N1 G" + status->guid));
}

TEST_F(MailboxTest, AnAppendedMessageIsThereWithFlagsDateAndSize) {
    auto mailbox = open();
    SaveOptions save;
    save.system = kSeen | kFlagged;
    save.keywords = {"$Work"};
    save.internal_date = 1700000000;
    auto given = append(*mailbox, "Subject: a\r\n\r\nbody\r\n", save);
    ASSERT_EQ(given.size(), 1U);
    EXPECT_EQ(given[0].value, 1U);
    auto session = view(*mailbox);
    ASSERT_EQ(session->exists(), 1U);
    auto info = session->info({1});
    ASSERT_TRUE(info);
    EXPECT_EQ(info->flags.system, kSeen | kFlagged);
    EXPECT_TRUE(info->flags.keywords.test(0));
    EXPECT_EQ(info->internal_date, 1700000000);
    EXPECT_EQ(info->size, 17U);
    EXPECT_EQ(info->virtual_size, 20U);
    auto file = mailbox->open_message({1});
    ASSERT_TRUE(file);
    EXPECT_EQ((*file)->bytes(), "Subject: a\n\nbody\n");
    auto names = files("cur");
    ASSERT_EQ(names.size(), 1U);
    EXPECT_TRUE(names[0].ends_with(",S=17,W=20:2,FSa")) << names[0];
    EXPECT_EQ(read("INBOX/dovecot-keywords"), "0 $Work\n");
    EXPECT_TRUE(files("tmp").empty());
}

TEST_F(MailboxTest, ADeliveryLiesInNewAndIsRecentForOneSession) {
    auto mailbox = open();
    deliver(*mailbox, "Subject: a\r\n\r\nbody\r\n");
    EXPECT_EQ(files("new").size(), 1U);
    auto watcher = view(*mailbox, Mailbox::Access::ReadOnly);
    EXPECT_EQ(watcher->recent(), 1U);
    EXPECT_EQ(files("new").size(), 1U);
    auto first = view(*mailbox);
    EXPECT_EQ(first->recent(), 1U);
    EXPECT_TRUE(files("new").empty());
    ASSERT_EQ(files("cur").size(), 1U);
    EXPECT_TRUE(files("cur")[0].ends_with(":2,"));
    EXPECT_EQ(view(*mailbox)->recent(), 0U);
}

TEST_F(MailboxTest, FlagsReachTheFileNamesAndSurviveARestart) {
    auto mailbox = open();
    auto given = append(*mailbox, "a\n", {}, 3);
    auto result = store(*mailbox, {given[0], given[2]}, FlagOperation::Add, kSeen, {"Later"});
    EXPECT_EQ(result.changed, (std::vector<Uid>{{1}, {3}}));
    EXPECT_TRUE(store(*mailbox, {given[0]}, FlagOperation::Add, kSeen).changed.empty());
    mailbox.reset();
    restart();
    auto names = files("cur");
    EXPECT_EQ(std::count_if(names.begin(), names.end(), [](const auto& name) { return name.ends_with(":2,Sa"); }), 2);
    EXPECT_EQ(std::count_if(names.begin(), names.end(), [](const auto& name) { return name.ends_with(":2,"); }), 1);
    mailbox = open();
    auto session = view(*mailbox);
    EXPECT_EQ(session->info({3})->flags.system, kSeen);
    EXPECT_EQ(session->info({3})->modseq, result.modseq);
    EXPECT_EQ(mailbox->keywords(), std::vector<std::string>{"Later"});
}

TEST_F(MailboxTest, WithoutAnyIndexUidsFlagsAndKeywordsAreTheSameAndModseqsGoUp) {
    auto mailbox = open();
    append(*mailbox, "a\n", {}, 5);
    store(*mailbox, {{2}, {3}}, FlagOperation::Add, kDeleted);
    store(*mailbox, {{4}}, FlagOperation::Replace, kAnswered, {"k1", "k2"});
    ASSERT_TRUE(mailbox->expunge({}));
    auto before = mailbox->status();
    mailbox.reset();
    restart_without_index();
    mailbox = open();
    auto after = mailbox->status();
    ASSERT_TRUE(after);
    EXPECT_EQ(after->uid_validity, before->uid_validity);
    EXPECT_EQ(after->guid, before->guid);
    EXPECT_EQ(after->uid_next, before->uid_next);
    EXPECT_GT(after->highest_modseq, before->highest_modseq);
    auto session = view(*mailbox);
    EXPECT_EQ(uids(*session), (std::vector<std::uint32_t>{1, 4, 5}));
    EXPECT_EQ(session->info({4})->flags.system, kAnswered);
    EXPECT_TRUE(session->info({4})->flags.keywords.test(0));
    EXPECT_TRUE(session->info({4})->flags.keywords.test(1));
    EXPECT_EQ(mailbox->keywords(), (std::vector<std::string>{"k1", "k2"}));
}

TEST_F(MailboxTest, ExpungedMessagesKeepTheirNumbersUntilReported) {
    auto mailbox = open();
    append(*mailbox, "a\n", {}, 6);
    auto one = view(*mailbox), two = view(*mailbox);
    store(*mailbox, {{2}, {3}, {6}}, FlagOperation::Add, kDeleted);
    auto expunged = mailbox->expunge({});
    ASSERT_TRUE(expunged);
    EXPECT_EQ(expunged->expunged, (std::vector<Uid>{{2}, {3}, {6}}));
    auto held = sync(*two, MailboxView::Expunges::Hold);
    EXPECT_TRUE(held.expunged_seqs.empty());
    EXPECT_EQ(two->exists(), 6U);
    EXPECT_LT(held.highest_modseq, expunged->modseq);
    auto changes = sync(*one);
    EXPECT_EQ(changes.expunged_seqs, (std::vector<Seq>{{2}, {2}, {4}}));
    EXPECT_EQ(changes.expunged_uids, (std::vector<Uid>{{2}, {3}, {6}}));
    EXPECT_EQ(one->exists(), 3U);
    EXPECT_EQ(one->uid_at({3}).value, 5U);
    auto late = sync(*two);
    EXPECT_EQ(late.expunged_uids.size(), 3U);
    auto since = mailbox->expunged_since({expunged->modseq.value - 1});
    ASSERT_TRUE(since);
    EXPECT_EQ(*since, (std::vector<UidRange>{{{2}, {3}}, {{6}, {6}}}));
    cache_->flush();
    EXPECT_EQ(files("cur").size(), 3U);
}

TEST_F(MailboxTest, UnchangedSinceRefusesNewerMessages) {
    auto mailbox = open();
    append(*mailbox, "a\n", {}, 2);
    auto before = mailbox->status()->highest_modseq;
    store(*mailbox, {{1}}, FlagOperation::Add, kSeen);
    StoreChange change;
    change.system = kFlagged;
    change.unchanged_since = before;
    std::vector<Uid> both = {{1}, {2}};
    auto result = mailbox->store(both, change);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->modified, std::vector<Uid>{{1}});
    EXPECT_EQ(result->changed, std::vector<Uid>{{2}});
}

TEST_F(MailboxTest, ASessionHearsOfOthersFlagsOnceAndOfItsOwnNever) {
    auto mailbox = open();
    append(*mailbox, "a\n", {}, 3);
    auto mine = view(*mailbox), other = view(*mailbox);
    auto result = store(*mailbox, {{1}, {2}}, FlagOperation::Add, kSeen);
    mine->mark_told(result.changed, result.modseq);
    EXPECT_TRUE(sync(*mine).flags.empty());
    EXPECT_EQ(sync(*other).flags, (std::vector<Uid>{{1}, {2}}));
    EXPECT_TRUE(sync(*other).flags.empty());
}

TEST_F(MailboxTest, CopyKeepsFlagsKeywordsDateAndBytes) {
    make("Other");
    auto mailbox = open(), other = open("Other");
    store(*other, {}, FlagOperation::Add, 0, {"first"});
    SaveOptions save;
    save.system = kSeen;
    save.keywords = {"$Work"};
    save.internal_date = 1600000000;
    append(*mailbox, "Subject: a\n\nb\n", save, 2);
    std::vector<Uid> both = {{1}, {2}};
    auto copied = mailbox->copy_to(*other, both);
    ASSERT_TRUE(copied) << copied.error().detail;
    EXPECT_EQ(copied->copied, both);
    EXPECT_EQ(copied->uid_validity, other->uid_validity());
    auto session = view(*other);
    auto info = session->info({2});
    ASSERT_TRUE(info);
    EXPECT_EQ(info->flags.system, kSeen);
    EXPECT_EQ(info->internal_date, 1600000000);
    EXPECT_EQ(other->keywords()[static_cast<std::size_t>(info->flags.keywords._Find_first())], "$Work");
    EXPECT_EQ((*other->open_message({2}))->bytes(), "Subject: a\n\nb\n");
    EXPECT_EQ(*other->message_guid({2}), *mailbox->message_guid({2}));
    struct stat st;
    ASSERT_EQ(::stat((root_ + "/Other/cur/" + files("cur", "Other")[0]).c_str(), &st), 0);
    EXPECT_EQ(st.st_nlink, 2U);
}

TEST_F(MailboxTest, MoveLeavesTheMessageInOneMailboxOnly) {
    make("Other");
    auto mailbox = open(), other = open("Other");
    append(*mailbox, "a\n", {}, 3);
    ExpungeResult expunged;
    std::vector<Uid> some = {{1}, {3}};
    auto moved = mailbox->move_to(*other, some, &expunged);
    ASSERT_TRUE(moved);
    EXPECT_EQ(expunged.expunged, some);
    EXPECT_EQ(mailbox->status()->messages, 1U);
    EXPECT_EQ(other->status()->messages, 2U);
    cache_->flush();
    EXPECT_EQ(files("cur").size(), 1U);
}

TEST_F(MailboxTest, FilesOfOtherProgramsAreFoundAndNumberedInOrder) {
    auto mailbox = open();
    auto session = view(*mailbox);
    drop_file("new", "1700000002.V1I2M3.host");
    drop_file("new", "1700000001.V1I2M3.host");
    drop_file("new", ".hidden");
    auto changes = sync(*session);
    EXPECT_TRUE(changes.count_changed);
    ASSERT_EQ(session->exists(), 2U);
    EXPECT_EQ(*mailbox->message_guid({1}), "1700000001.V1I2M3.host");
    EXPECT_EQ(*mailbox->virtual_size({1}), 20U);
    EXPECT_NE(read("INBOX/dovecot-uidlist").find("\n1 :1700000001.V1I2M3.host\n2 :1700000002.V1I2M3.host\n"),
              std::string::npos);
}

TEST_F(MailboxTest, FlagsSetByOtherProgramsAreSeenAndRemovedFilesAreExpunged) {
    auto mailbox = open();
    append(*mailbox, "a\n", {}, 3);
    auto session = view(*mailbox);
    std::string cur = root_ + "/INBOX/cur/";
    std::string first = cur + *mailbox->message_guid({1}) + ":2,";
    std::filesystem::rename(first, first + "FS");
    std::filesystem::remove(cur + *mailbox->message_guid({2}) + ":2,");
    auto changes = sync(*session);
    EXPECT_EQ(changes.flags, std::vector<Uid>{{1}});
    EXPECT_EQ(changes.expunged_uids, std::vector<Uid>{{2}});
    EXPECT_EQ(session->info({1})->flags.system, kFlagged | kSeen);
}

TEST_F(MailboxTest, SubscribersAreCalledForChangesOfOtherProcesses) {
    auto mailbox = open();
    std::atomic<int> calls = 0;
    auto subscription = mailbox->subscribe([&] { ++calls; });
    MailboxCache stranger;
    auto other = stranger.open(paths(), options());
    ASSERT_TRUE(other);
    deliver(**other, "a\n");
    for (int i = 0; i < 100 && calls == 0; ++i) ::usleep(10000);
    EXPECT_EQ(calls, 1);
    auto session = view(*mailbox);
    sync(*session);
    drop_file("new", "1700000002.V1I2M3.host");
    for (int i = 0; i < 100 && calls == 1; ++i) ::usleep(10000);
    EXPECT_EQ(calls, 2);
}

TEST_F(MailboxTest, TwoProcessesShareOneMailbox) {
    auto mine = open();
    MailboxCache stranger;
    auto theirs = *stranger.open(paths(), options());
    append(*mine, "a\n", {}, 2);
    append(*theirs, "b\n", {}, 2);
    store(*mine, {{3}}, FlagOperation::Add, kSeen);
    store(*theirs, {{1}}, FlagOperation::Add, kDeleted);
    ASSERT_TRUE(mine->expunge({}));
    EXPECT_EQ(mine->status()->messages, 3U);
    EXPECT_EQ(theirs->status()->messages, 3U);
    EXPECT_EQ(mine->status()->highest_modseq, theirs->status()->highest_modseq);
    stranger.flush();
    cache_->flush();
    EXPECT_EQ(files("cur").size(), 3U);
}

TEST_F(MailboxTest, CachedValuesComeBackAfterARestart) {
    auto mailbox = open();
    append(*mailbox, "a\n", {}, 2);
    EXPECT_FALSE(mailbox->cached({1}, CacheField::Envelope, [](std::string_view) {}));
    mailbox->cache({1}, CacheField::Envelope, "(NIL)");
    mailbox->cache({2}, CacheField::Body, std::string(1000, 'x'));
    mailbox.reset();
    restart();
    mailbox = open();
    std::string value;
    EXPECT_TRUE(mailbox->cached({1}, CacheField::Envelope, [&](std::string_view bytes) { value = bytes; }));
    EXPECT_EQ(value, "(NIL)");
    EXPECT_FALSE(mailbox->cached({1}, CacheField::Body, [](std::string_view) {}));
    EXPECT_TRUE(mailbox->cached({2}, CacheField::Body, [&](std::string_view bytes) { value = bytes; }));
    EXPECT_EQ(value.size(), 1000U);
}

TEST_F(MailboxTest, KeywordsPastThe26thSurviveTheLossOfTheIndex) {
    auto mailbox = open();
    append(*mailbox, "a\n", {}, 2);
    std::vector<std::string> names;
    for (int i = 0; i < 40; ++i) names.push_back("kw" + std::to_string(i));
    store(*mailbox, {{1}}, FlagOperation::Add, 0, names);
    auto first = mailbox->keywords();
    EXPECT_EQ(first, names);
    mailbox.reset();
    restart_without_index();
    mailbox = open();
    EXPECT_EQ(mailbox->keywords().size(), 40U);
    auto session = view(*mailbox);
    EXPECT_EQ(session->info({1})->flags.keywords.count(), 40U);
    EXPECT_EQ(session->info({2})->flags.keywords.count(), 0U);
}

TEST_F(MailboxTest, TheHighestModseqEverGivenOutSurvivesTheLossOfTheIndex) {
    auto mailbox = open();
    append(*mailbox, "a\n");
    mailbox.reset();
    restart_without_index();
    cache_.reset();
    write("INBOX/culver.modseq", "99999999999999\n");
    restart();
    mailbox = open();
    EXPECT_GT(mailbox->status()->highest_modseq.value, 99999999999999U);
    EXPECT_GT(view(*mailbox)->info({1})->modseq.value, 99999999999999U);
}

TEST_F(MailboxTest, ANewUidvalidityByAnotherProgramBeginsANewLife) {
    auto mailbox = open();
    append(*mailbox, "a\n", {}, 3);
    auto session = view(*mailbox);
    auto before = mailbox->status();
    std::string text = read("INBOX/dovecot-uidlist");
    text.replace(text.find('V') + 1, 10, std::to_string(before->uid_validity + 5));
    write("INBOX/dovecot-uidlist", text);
    EXPECT_FALSE(session->sync(MailboxView::Expunges::Report));
    auto again = view(*mailbox);
    EXPECT_EQ(uids(*again), (std::vector<std::uint32_t>{1, 2, 3}));
    store(*mailbox, {{2}}, FlagOperation::Add, kSeen);
    again.reset();
    session.reset();
    mailbox.reset();
    restart();
    mailbox = open();
    EXPECT_EQ(mailbox->uid_validity(), before->uid_validity + 5);
    EXPECT_EQ(view(*mailbox)->info({2})->flags.system, kSeen);
    EXPECT_GT(mailbox->status()->highest_modseq, before->highest_modseq);
}

TEST_F(MailboxTest, ABigMessageThatIsCutWhileItIsReadEndsInZeros) {
    auto mailbox = open();
    append(*mailbox, std::string(1000000, 'x'));
    auto file = mailbox->open_message({1});
    ASSERT_TRUE(file);
    ASSERT_EQ(::truncate((root_ + "/INBOX/cur/" + files("cur")[0]).c_str(), 10), 0);
    std::size_t sum = 0;
    for (char c : (*file)->bytes()) sum += c == 'x' ? 1 : 0;
    EXPECT_LE(sum, 4096U);
}

TEST_F(MailboxTest, AManyTimesChangedMailboxStaysSmallOnDisk) {
    auto mailbox = open();
    append(*mailbox, "a\n", {}, 3);
    MailboxCache stranger;
    auto other = *stranger.open(paths(), options());
    auto session = view(*other);
    for (int i = 0; i < 12000; ++i)
        store(*mailbox, {{2}}, i % 2 == 0 ? FlagOperation::Add : FlagOperation::Remove, kSeen);
    cache_->flush();
    store(*mailbox, {{3}}, FlagOperation::Add, kSeen);
    EXPECT_LT(std::filesystem::file_size(root_ + "/INBOX/culver.index.log"), 600000U);
    EXPECT_EQ(sync(*session).flags, (std::vector<Uid>{{2}, {3}}));
    EXPECT_EQ(other->status()->highest_modseq, mailbox->status()->highest_modseq);
}

TEST_F(MailboxTest, AnUncommittedSaveLeavesNothing) {
    auto mailbox = open();
    {
        auto transaction = mailbox->begin_save();
        ASSERT_TRUE((*transaction)->begin({}));
        ASSERT_TRUE((*transaction)->write("half"));
        EXPECT_EQ(files("tmp").size(), 1U);
    }
    EXPECT_TRUE(files("tmp").empty());
    EXPECT_EQ(mailbox->status()->messages, 0U);
}

}  // namespace
}  // namespace culver
