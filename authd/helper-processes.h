// HelperProcesses: what authd has done by processes of their own: PAM, programs of the admin (checkpassword).
//
// Such work blocks, leaks, keeps global state and often needs root. So authd, before it gives up root and before it has
// a thread, forks a small supervisor; that one forks helpers when asked and hands authd one end of a socket to each. A
// helper answers one question at a time. It ends after a number of them, and is killed by its own alarm, with the
// processes that it has started, when an answer takes too long. The supervisor and its helpers hold no other descriptor
// of authd and end with it. When the supervisor itself dies nobody can fork with root's rights any more; authd hears of
// it at once (on_supervisor_lost) and has itself started again.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"

namespace culver {

class EventLoop;

// What a helper says to one question.
struct HelperAnswer {
    std::string bytes;
    unsigned max_requests = 100;  // the helper ends once it has answered that many; 0: never
};

// One kind of helpers. The functions run in the forked processes only, with one thread.
struct HelperKind {
    std::string process_name;       // for ps; at most 15 bytes count
    std::function<bool()> prepare;  // becomes whoever the helper shall be; false: it must not be used
    std::function<HelperAnswer(std::string_view question)> answer;
    unsigned seconds = 60;     // for one answer
    std::size_t at_once = 30;  // helpers at work; who asks beyond that waits a while
};

class HelperProcesses {
public:
    static constexpr std::size_t kMessageLimit = 64 * 1024;  // of a question, and of an answer

    // Forks the supervisor; call while the process has one thread. Kinds are known by their place in the list.
    static Result<std::unique_ptr<HelperProcesses>> start(std::vector<HelperKind> kinds);
    ~HelperProcesses();

    // Puts a question to a helper of that kind. Thread-safe; blocks for the kind's time at most, and up to ten seconds
    // for a helper to become free. Unavailable: none became free or could be started. Timeout: it took too long or
    // died over the question.
    Result<std::string> ask(std::size_t kind, std::string_view question);

    // Nobody waits for an answer any more, nor will anybody: what is asked fails at once. For the end of the process,
    // which must not wait for a module that hangs. Thread-safe.
    void stop();

    // Calls `lost`, once, on the loop's thread, when the supervisor has died. The loop ends before this object.
    void on_supervisor_lost(EventLoop& loop, std::function<void()> lost);

private:
    struct Kind {
        unsigned seconds;
        std::size_t at_once;
        std::size_t working = 0;
        std::vector<UniqueFd> idle;
    };

    HelperProcesses() = default;
    Status take_turn(Kind& kind);
    Result<UniqueFd> take_helper(std::size_t number);
    Result<UniqueFd> fork_helper(std::size_t number);
    void turn_over(Kind& kind, UniqueFd kept);

    // Marks a helper as waited for, so that stop() finds it. False after stop().
    bool begin_wait(int helper);
    void end_wait(int helper);

    std::mutex mutex_;  // guards kinds_, waited_for_ and stopped_
    std::vector<int> waited_for_;
    bool stopped_ = false;
    std::condition_variable turn_free_;
    std::vector<Kind> kinds_;
    std::mutex channel_mutex_;  // guards channel_: one request for a helper at a time
    UniqueFd channel_;          // to the supervisor
    UniqueFd lifeline_;         // reads end-of-file when the supervisor is gone
};

}  // namespace culver
