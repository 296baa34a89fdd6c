#include "lib-service/worker-pool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "lib-config/load.h"
#include "lib-service/inheritance.h"

namespace culver {
namespace {

// What this program does when the pool starts it again with --worker: it writes its job into the descriptor that came
// with it and says "done"; "die" ends it by a signal, "reload?" tells what the settings say now.
[[noreturn]] void run_worker() {
    auto channel = WorkerChannel::take_over("imap");
    if (!channel) ::_exit(3);
    for (;;) {
        auto message = (*channel)->receive();
        if (!message || message->kind == WorkerChannel::Message::Kind::Closed) ::_exit(4);
        if (message->kind == WorkerChannel::Message::Kind::Stop) ::_exit(0);
        if (message->kind == WorkerChannel::Message::Kind::Reload) continue;
        if (message->kind == WorkerChannel::Message::Kind::Report) message->bytes = "report";
        if (message->bytes == "die") ::raise(SIGKILL);
        if (!message->fds.empty()) (void)!::write(message->fds[0].get(), message->bytes.data(), message->bytes.size());
        (void)(*channel)->send(message->bytes == "greeting?" ? (*channel)->settings()->string("login_greeting")
                               : message->bytes == "report"  ? "one job"
                                                             : "done");
    }
}
// Before the first test, when every static object is there.
class WorkerEntrance : public testing::Environment {
public:
    void SetUp() override {
        if (::getenv(kChannelFdVariable)) run_worker();
    }
};
[[maybe_unused]] const auto* const kEntrance = testing::AddGlobalTestEnvironment(new WorkerEntrance);

std::shared_ptr<const Settings> settings_with(const std::string& text) {
    char name[] = "/tmp/culver-conf-XXXXXX";
    UniqueFd fd(::mkstemp(name));
    std::ofstream(name) << text;
    LoadOptions options;
    options.path = name;
    auto loaded = load_settings(options);
    ::unlink(name);
    return loaded.settings;
}

void pass_fd(const char* variable, int fd) { ::setenv(variable, std::to_string(::fcntl(fd, F_DUPFD, 100)).c_str(), 1); }

// A service as the master would have started it; the test holds the master's ends.
class WorkerPoolTest : public testing::Test {
protected:
    void SetUp() override {
        auto log = socket_pair(SOCK_SEQPACKET, Blocking::No);
        auto control = socket_pair(SOCK_SEQPACKET, Blocking::No);
        auto memfd = make_memfd(settings_with("login_greeting = first\n")->serialize());
        ASSERT_TRUE(log && control && memfd);
        log_ = std::move(log->first);
        control_ = std::move(control->first);
        pass_fd(kLogFdVariable, log->second.get());
        pass_fd(kControlFdVariable, control->second.get());
        pass_fd(kSettingsFdVariable, memfd->get());
        ::setenv(kServiceVariable, "imap", 1);
        auto service = Service::take_over("imap");
        ASSERT_TRUE(service) << service.error().detail;
        service_ = std::move(*service);
    }
    void TearDown() override {
        set_log_sink(nullptr);
        set_log_prefix("");
    }

    std::unique_ptr<WorkerPool> make_pool(WorkerPoolOptions options) {
        return std::make_unique<WorkerPool>(
            *service_, options,
            [this](pid_t pid, std::string_view text) {
                messages_.emplace_back(pid, text);
                service_->loop().stop();
            },
            [this](pid_t pid, std::string_view reason) {
                exits_.emplace_back(pid, reason);
                service_->loop().stop();
            });
    }
    void succeed();
    // Until something was said or ended.
    void run_loop() {
        const auto guard = service_->loop().after(std::chrono::seconds(20), [this] { service_->loop().stop(); });
        service_->loop().run();
        service_->loop().cancel(guard);
    }
    // Users whom the pool accepts: without root there is only one.
    static WorkerIdentity user(uid_t uid) {
        return ::geteuid() == 0 ? WorkerIdentity{uid, static_cast<gid_t>(uid), {}, ""} : WorkerIdentity{};
    }

    UniqueFd log_, control_;
    std::unique_ptr<Service> service_;
    std::vector<std::pair<pid_t, std::string>> messages_, exits_;
};

TEST_F(WorkerPoolTest, AJobArrivesWithItsDescriptorAndTheWorkerIsUsedAgain) {
    auto pool = make_pool({});
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    UniqueFd reader(fds[0]), writer(fds[1]);
    const int passed[] = {writer.get()};
    auto pid = pool->assign(user(12345), "hello", passed);
    ASSERT_TRUE(pid) << pid.error().detail;
    run_loop();
    ASSERT_EQ(messages_.size(), 1u);
    EXPECT_EQ(messages_[0], std::pair(*pid, std::string("done")));
    char text[6] = {};
    EXPECT_EQ(::read(reader.get(), text, 5), 5);
    EXPECT_STREQ(text, "hello");
    pool->job_done(*pid);
    EXPECT_EQ(pool->assign(user(12345), "again", {}).value_or(0), *pid);
    run_loop();
}

TEST_F(WorkerPoolTest, AWorkerHasOneUserAndNoPrivileges) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto pool = make_pool({});
    auto first = pool->assign(user(12345), "x", {}), second = pool->assign(user(12346), "x", {});
    ASSERT_TRUE(first && second);
    EXPECT_NE(*first, *second);
    run_loop();
    while (messages_.size() < 2) run_loop();
    std::ifstream status("/proc/" + std::to_string(*first) + "/status");
    std::string text((std::istreambuf_iterator<char>(status)), {});
    EXPECT_NE(text.find("Uid:\t12345\t12345\t12345\t12345"), std::string::npos) << text;
    EXPECT_NE(text.find("CapEff:\t0000000000000000"), std::string::npos) << text;
    EXPECT_NE(text.find("NoNewPrivs:\t1"), std::string::npos) << text;
}

TEST_F(WorkerPoolTest, AChrootThatTheAdminHasNotNamedIsRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto pool = make_pool({});
    for (const char* chroot : {"/", "/tmp", "/srv/../etc"}) {
        auto result = pool->assign({.uid = 12345, .gid = 12345, .groups = {}, .chroot = chroot}, "x", {});
        ASSERT_FALSE(result) << chroot;
        EXPECT_NE(result.error().detail.find("valid_chroot_dirs"), std::string::npos) << result.error().detail;
    }
}

TEST_F(WorkerPoolTest, RootAndUsersOutsideTheValidRangeAreRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto pool = make_pool({});
    for (uid_t uid : {0u, 499u}) {
        auto result = pool->assign(user(uid), "x", {});
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, ErrorCode::NoPermission);
    }
    EXPECT_NE(pool->assign(user(499), "x", {}).error().detail.find("first_valid_uid"), std::string::npos);
    auto group = pool->assign({.uid = 12345, .gid = 0, .groups = {}, .chroot = ""}, "x", {});
    ASSERT_FALSE(group);
    EXPECT_NE(group.error().detail.find("first_valid_gid"), std::string::npos);
}

TEST_F(WorkerPoolTest, AFullWorkerGetsACompanionUntilTheLimit) {
    auto pool = make_pool({.jobs_per_worker = 1, .worker_limit = 2});
    auto first = pool->assign(user(12345), "x", {}), second = pool->assign(user(12345), "x", {});
    ASSERT_TRUE(first && second);
    EXPECT_NE(*first, *second);
    auto third = pool->assign(user(12345), "x", {});
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, ErrorCode::Limit);
    pool->job_done(*first);
    EXPECT_EQ(pool->assign(user(12345), "x", {}).value_or(0), *first);
}

TEST_F(WorkerPoolTest, ADeathIsToldWithItsReasonAndTheNextJobStartsAnotherWorker) {
    auto pool = make_pool({});
    auto pid = pool->assign(user(12345), "die", {});
    ASSERT_TRUE(pid);
    while (exits_.empty()) run_loop();
    EXPECT_EQ(exits_[0].first, *pid);
    EXPECT_EQ(exits_[0].second, "killed with signal 9 (Killed)");
    auto next = pool->assign(user(12345), "x", {});
    ASSERT_TRUE(next);
    EXPECT_NE(*next, *pid);
}

TEST_F(WorkerPoolTest, AWorkerForOneJobEndsAfterIt) {
    auto pool = make_pool({.jobs_in_life = 1});
    auto pid = pool->assign(user(12345), "x", {});
    run_loop();
    pool->job_done(*pid);
    while (exits_.empty()) run_loop();
    EXPECT_EQ(exits_[0].second, "");
}

TEST_F(WorkerPoolTest, AReloadReachesTheWorkers) {
    auto pool = make_pool({});
    ASSERT_TRUE(pool->assign(user(12345), "greeting?", {}));
    run_loop();
    EXPECT_EQ(messages_.at(0).second, "first");
    service_->on_reload([&] {
        pool->reload({});
        service_->loop().stop();
    });
    auto memfd = make_memfd(settings_with("login_greeting = second\n")->serialize());
    const int fds[] = {memfd->get()};
    ASSERT_TRUE(send_with_fds(control_.get(), "RELOAD", fds));
    run_loop();
    ASSERT_TRUE(pool->assign(user(12345), "greeting?", {}));
    run_loop();
    EXPECT_EQ(messages_.at(1).second, "second");
}

// The next dispatcher, with what the master has been given to keep.
void WorkerPoolTest::succeed() {
    auto kept = receive_with_fds(control_.get(), 4096);
    while (kept && kept->bytes == "READY") kept = receive_with_fds(control_.get(), 4096);
    ASSERT_TRUE(kept) << kept.error().detail;
    ASSERT_TRUE(kept->bytes.starts_with("KEEP\n")) << kept->bytes;
    ASSERT_EQ(kept->fds.size(), 2u);
    auto line = KeptWorkerLine::parse(std::string_view(kept->bytes).substr(5));
    ASSERT_TRUE(line);
    line->channel = ::fcntl(kept->fds[0].get(), F_DUPFD, 100);
    line->pidfd = ::fcntl(kept->fds[1].get(), F_DUPFD, 100);
    auto memfd = make_memfd(line->to_line() + "\n");
    pass_fd(kKeptWorkersFdVariable, memfd->get());
    set_log_sink(nullptr);
    service_.reset();
    SetUp();
}

TEST_F(WorkerPoolTest, AWorkerOutlivesItsDispatcherAndServesTheNextOne) {
    auto pool = make_pool({.outlive_dispatcher = true});
    auto pid = pool->assign(user(12345), "x", {});
    ASSERT_TRUE(pid);
    run_loop();
    pool.reset();
    ASSERT_NO_FATAL_FAILURE(succeed());
    pool = make_pool({.jobs_per_worker = 2, .outlive_dispatcher = true});
    messages_.clear();
    run_loop();
    ASSERT_EQ(messages_.size(), 1u);
    EXPECT_EQ(messages_[0], std::pair(*pid, std::string("one job")));
    pool->jobs_reported(*pid, 1);
    EXPECT_EQ(pool->assign(user(12345), "y", {}).value_or(0), *pid);
    EXPECT_NE(pool->assign(user(12345), "y", {}).value_or(0), *pid) << "it has two jobs now";
    exits_.clear();
    ASSERT_TRUE(pool->assign(user(12345), "die", {}));
    ::kill(*pid, SIGKILL);
    while (std::ranges::none_of(exits_, [&](const auto& each) { return each.first == *pid; })) run_loop();
    ::waitpid(*pid, nullptr, 0);
}

TEST_F(WorkerPoolTest, ARetiredWorkerGetsNoFurtherJobAndEndsWithItsLast) {
    auto pool = make_pool({});
    auto pid = pool->assign(user(12345), "x", {});
    run_loop();
    pool->retire();
    auto next = pool->assign(user(12345), "x", {});
    ASSERT_TRUE(next);
    EXPECT_NE(*next, *pid);
    pool->job_done(*pid);
    while (exits_.empty()) run_loop();
    EXPECT_EQ(exits_[0], std::pair(*pid, std::string()));
}

TEST(WorkerIdentity, ArrivesAsItWasSentOrNotAtAll) {
    const WorkerIdentity identity{1000, 1001, {4, 24}, "/srv/a\tb"};
    EXPECT_EQ(WorkerIdentity::parse(identity.to_words()), identity);
    const WorkerIdentity plain{1000, 1001, {}, ""};
    EXPECT_EQ(WorkerIdentity::parse(plain.to_words()), plain);
    for (const char* bad : {"", "1\t2", "1\t2\t3", "x\t2\t3\t", "1\t-2\t3\t", "1\t2\t3,\t", "1\t2\t3\t/\t5"})
        EXPECT_FALSE(WorkerIdentity::parse(bad)) << bad;
}

TEST(KeptWorkerLine, ArrivesAsItWasSentOrNotAtAll) {
    const KeptWorkerLine line{77, 5, 6, "serving\t1000\t1000\t\t"};
    auto copy = KeptWorkerLine::parse(line.to_line());
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->pid, 77);
    EXPECT_EQ(copy->channel, 5);
    EXPECT_EQ(copy->pidfd, 6);
    EXPECT_EQ(copy->about, line.about);
    for (const char* bad : {"", "77\t5\t6", "0\t5\t6\tx", "77\t-1\t6\tx", "4294967295\t5\t6\tx", "77\t5\t6\tx\ty"})
        EXPECT_FALSE(KeptWorkerLine::parse(bad)) << bad;
}

TEST_F(WorkerPoolTest, ListenersComeAndGoWhileTheServiceRuns) {
    auto listener = socket_pair(SOCK_STREAM, Blocking::No);
    std::vector<std::string> seen;
    service_->watch_listeners([&](InheritedListener& each) {
        seen.push_back(each.name);
        char c;
        (void)!::read(each.fd.get(), &c, 1);
        service_->loop().stop();
    });
    const int fds[] = {listener->first.get()};
    ASSERT_TRUE(send_with_fds(control_.get(), "LISTEN\n9\tunix\tnew\t0\tno", fds));
    (void)!::write(listener->second.get(), "x", 1);
    run_loop();
    EXPECT_EQ(seen, std::vector<std::string>{"new"});
    // Another address of the same name and port: only the socket that is meant goes.
    auto other = socket_pair(SOCK_STREAM, Blocking::No);
    const int other_fds[] = {other->first.get()};
    ASSERT_TRUE(send_with_fds(control_.get(), "LISTEN\n9\tunix\tnew\t0\tno", other_fds));
    ASSERT_TRUE(send_with_fds(control_.get(), "UNLISTEN\n9\tunix\tnew\t0\tno", fds));
    (void)!::write(other->second.get(), "x", 1);
    run_loop();
    EXPECT_EQ(service_->listeners().size(), 1u);
    EXPECT_EQ(seen.size(), 2u);
    service_->on_stop([&] { service_->loop().stop(); });
    ASSERT_TRUE(send_with_fds(control_.get(), "STOP", {}));
    run_loop();
    EXPECT_TRUE(service_->listeners().empty());
}

}  // namespace
}  // namespace culver
