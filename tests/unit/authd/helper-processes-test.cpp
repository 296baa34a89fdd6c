// Helper processes, and programs run by them: real forks, with short times.
#include "authd/helper-processes.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <future>
#include <thread>

#include "authd/program-helper.h"
#include "authd/program-run.h"
#include "lib-net/event-loop.h"

namespace culver {
namespace {

using Clock = std::chrono::steady_clock;

// Does what its question says.
HelperAnswer obey(std::string_view question) {
    if (question == "pid") return {std::to_string(::getpid())};
    if (question == "supervisor") return {std::to_string(::getppid())};
    if (question == "once") return {std::to_string(::getpid()), 1};
    if (question == "crash") ::raise(SIGKILL);
    if (question == "hang") ::sleep(100);
    if (question == "wait") ::usleep(300'000);
    if (question == "long") return {std::string(HelperProcesses::kMessageLimit - 1, 'x')};
    return {"you said " + std::string(question)};
}

std::unique_ptr<HelperProcesses> start(unsigned seconds = 1, std::size_t at_once = 4) {
    auto helpers = HelperProcesses::start({{"test-helper", {}, obey, seconds, at_once}, program_helpers({}, at_once)});
    EXPECT_TRUE(helpers);
    return std::move(*helpers);
}

std::string ask(HelperProcesses& helpers, std::string_view question) {
    auto answer = helpers.ask(0, question);
    return answer ? *answer : "error: " + answer.error().detail;
}

TEST(HelperProcesses, AnswerAndAreKept) {
    auto helpers = start();
    EXPECT_EQ(ask(*helpers, "hello"), "you said hello");
    EXPECT_EQ(ask(*helpers, "pid"), ask(*helpers, "pid"));
    EXPECT_EQ(ask(*helpers, "long").size(), HelperProcesses::kMessageLimit - 1);
    EXPECT_FALSE(helpers->ask(0, std::string(HelperProcesses::kMessageLimit + 1, 'x')));
}

TEST(HelperProcesses, EndAfterTheirNumberOfRequests) {
    auto helpers = start();
    std::string first = ask(*helpers, "once");
    EXPECT_NE(ask(*helpers, "once"), first);
}

TEST(HelperProcesses, AreReplacedWhenTheyCrashOrHang) {
    auto helpers = start();
    EXPECT_TRUE(ask(*helpers, "crash").starts_with("error: "));
    EXPECT_EQ(ask(*helpers, "a"), "you said a");
    auto before = Clock::now();
    EXPECT_TRUE(ask(*helpers, "hang").starts_with("error: "));
    EXPECT_LT(Clock::now() - before, std::chrono::seconds(3));
    EXPECT_EQ(ask(*helpers, "b"), "you said b");
    pid_t pid = static_cast<pid_t>(std::stoi(ask(*helpers, "pid")));
    ::kill(pid, SIGKILL);
    ::usleep(100'000);
    EXPECT_EQ(ask(*helpers, "c"), "you said c") << "one that died while idle";
}

TEST(HelperProcesses, WorkSideBySideUpToTheirLimit) {
    auto helpers = start(5, 2);
    auto before = Clock::now();
    std::vector<std::future<std::string>> answers;
    for (int i = 0; i < 6; ++i)
        answers.push_back(std::async(std::launch::async, [&] { return ask(*helpers, "wait"); }));
    for (auto& answer : answers) EXPECT_EQ(answer.get(), "you said wait");
    EXPECT_GE(Clock::now() - before, std::chrono::milliseconds(900));
}

TEST(HelperProcesses, ReportTheDeathOfTheirSupervisor) {
    auto helpers = start();
    EventLoop loop;
    bool lost = false;
    helpers->on_supervisor_lost(loop, [&] {
        lost = true;
        loop.stop();
    });
    pid_t supervisor = static_cast<pid_t>(std::stoi(ask(*helpers, "supervisor")));
    loop.after(std::chrono::milliseconds(50), [&] { ::kill(supervisor, SIGKILL); });
    loop.after(std::chrono::seconds(5), [&] { loop.stop(); });
    loop.run();
    EXPECT_TRUE(lost);
    EXPECT_EQ(ask(*helpers, "still there"), "you said still there") << "an idle helper";
    EXPECT_TRUE(ask(*helpers, "crash").starts_with("error: "));
    EXPECT_TRUE(ask(*helpers, "nobody left").starts_with("error: "));
}

TEST(HelperProcesses, RefuseWhatTheyCannotBecome) {
    auto helpers = HelperProcesses::start({{"nobody", [] { return false; }, obey, 1, 1}});
    ASSERT_TRUE(helpers);
    EXPECT_FALSE((*helpers)->ask(0, "hello"));
}

// --- programs ---

ProgramCall script(const std::string& text) {
    static int number = 0;
    std::string path = testing::TempDir() + "/program-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    ::chmod(path.c_str(), 0755);
    ProgramCall call;
    call.words = {path, "one", "two words"};
    call.environment = {"FOO=bar baz"};
    call.input = SecretString(std::string_view("bob\0pw\0\0", 8));
    return call;
}

TEST(Program, ReadsAndWritesItsDescriptors) {
    auto result = run_program(
        script(
            "user=$(tr '\\000' , <&3)\nprintf '%s|%s|%s|%s|' \"$user\" \"$2\" \"$FOO\" \"$#\" >&4\necho complaint >&2\n"
            "echo nothing\nexit 5"),
        {});
    EXPECT_EQ(result.end, ProgramResult::End::Exited);
    EXPECT_EQ(result.code, 5);
    EXPECT_EQ(result.output, "bob,pw,,|two words|bar baz|2|");
    EXPECT_EQ(result.errors, "complaint\n");
}

TEST(Program, HasNoOtherDescriptor) {
    auto result = run_program(script("ls /proc/self/fd | tr '\\n' ' ' >&4"), {});
    EXPECT_EQ(result.output, "0 1 2 3 4 5 ") << "5 is the folder that ls reads";
}

TEST(Program, IsNamedWhenItCannotBeRun) {
    ProgramCall call;
    call.words = {"/no/such/program"};
    auto result = run_program(call, {});
    EXPECT_EQ(result.end, ProgramResult::End::NotStarted);
    EXPECT_EQ(result.code, ENOENT);
    call.words = {"/etc/passwd"};
    EXPECT_EQ(run_program(call, {}).code, EACCES);
    EXPECT_EQ(run_program({}, {}).end, ProgramResult::End::NotStarted);
}

TEST(Program, IsKilledWithItsGroupWhenItTakesTooLong) {
    ProgramLimits limits;
    limits.time = std::chrono::milliseconds(300);
    std::string file = testing::TempDir() + "/grandchild-" + std::to_string(::getpid());
    auto before = Clock::now();
    auto result = run_program(script("sleep 100 & echo $! > " + file + "\nwait"), limits);
    EXPECT_EQ(result.end, ProgramResult::End::TimedOut);
    EXPECT_LT(Clock::now() - before, std::chrono::seconds(3));
    pid_t grandchild = 0;
    std::ifstream(file) >> grandchild;
    ASSERT_GT(grandchild, 0);
    ::usleep(200'000);
    std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
    std::string line((std::istreambuf_iterator<char>(stat)), {});
    EXPECT_TRUE(line.empty() || line.find(") Z ") != line.npos) << line;
    ::unlink(file.c_str());
}

TEST(Program, IsKilledWhenItWritesTooMuch) {
    auto before = Clock::now();
    EXPECT_EQ(run_program(script("yes >&4"), {}).end, ProgramResult::End::TooLong);
    EXPECT_LT(Clock::now() - before, std::chrono::seconds(5));
    ProgramLimits limits;
    limits.output = 10;
    EXPECT_EQ(run_program(script("printf 0123456789 >&4"), limits).end, ProgramResult::End::Exited);
    EXPECT_EQ(run_program(script("printf 0123456789a >&4"), limits).end, ProgramResult::End::TooLong);
}

TEST(Program, MayComplainAtLength) {
    auto result = run_program(script("yes complaint | head -n 100000 >&2; printf ok >&4"), {});
    EXPECT_EQ(result.end, ProgramResult::End::Exited);
    EXPECT_EQ(result.output, "ok");
    EXPECT_EQ(result.errors.size(), ProgramLimits{}.errors);
}

TEST(Program, NeedNotReadAndMayLeaveSomebodyBehind) {
    auto before = Clock::now();
    auto result = run_program(script("exec 3<&-; sleep 3 & printf ok >&4; kill -9 $$"), {});
    EXPECT_EQ(result.end, ProgramResult::End::Killed);
    EXPECT_EQ(result.code, 9);
    EXPECT_EQ(result.output, "ok");
    EXPECT_LT(Clock::now() - before, std::chrono::seconds(2));
}

TEST(Program, RunsInAHelper) {
    auto helpers = start();
    HelperProgramRunner runner(*helpers, 1);
    for (int i = 0; i < 3; ++i) {
        auto result = runner.run(script("cat <&3 >&4; printf 'a\\tb\\nc' >&2; exit 3"));
        ASSERT_TRUE(result) << result.error().detail;
        EXPECT_EQ(result->code, 3);
        EXPECT_EQ(result->output, std::string_view("bob\0pw\0\0", 8));
        EXPECT_EQ(result->errors, "a\tb\nc");
        EXPECT_GT(result->pid, 0);
    }
}

}  // namespace
}  // namespace culver
