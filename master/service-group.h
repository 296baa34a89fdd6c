// ServiceGroup: one service, that is its listeners and the processes that serve them.
//
// Settings of a reload reach living processes, but for what a process is from its start (user, group, chroot,
// executable, memory limit, environment): then another process takes over, and the old one ends when all that it serves
// has ended. auth and imap are one process at a time: the next one is started when the old one has left.
//
// A process that dies is started again: at once after a long life, with a growing pause after a short one. A start that
// never became ready is tried again only when somebody connects; until the pause is over, connections to its UNIX
// sockets are closed at once, so that peers hear of it (Postfix answers 4xx, login says "Auth process broken").
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-config/settings.h"
#include "lib-net/event-loop.h"
#include "lib-service/kept-worker.h"
#include "master/log-collector.h"
#include "master/wanted-listener.h"

namespace culver {

enum class StartWhen { AtOnce, OnConnect };

// What all groups share; lives longer than they do.
struct MasterContext {
    EventLoop& loop;
    LogCollector& logs;
    std::vector<std::string> environment;
    std::string program_directory;  // libexec
};

class ServiceGroup {
public:
    ServiceGroup(MasterContext& context, std::string name);
    ~ServiceGroup();
    const std::string& name() const { return name_; }

    // New settings, in two steps, so that at a reload every group has given up its listeners before another opens one
    // in their place. take: closes listeners. apply: opens listeners, tells or replaces the processes. Both return a
    // line per problem; a listener whose directory does not exist yet is tried again by itself and is no problem.
    std::vector<std::string> take(std::shared_ptr<const Settings> settings);
    std::vector<std::string> apply();
    // What a reload cannot change in this group, in words for the log; since the last call.
    std::vector<std::string> take_restart_needs() { return std::exchange(restart_needs_, {}); }
    void start(StartWhen when);
    // Asks the processes to end; nothing is started any more.
    void stop();
    void kill(int signal_number);
    bool is_empty() const { return processes_.empty(); }
    // True if `pid` was a process of this group; takes the status of waitpid.
    bool on_exit(pid_t pid, int wait_status);

private:
    struct Open {
        WantedListener wanted;
        UniqueFd fd;
        bool watched = false;
        FileIdentity file{};  // what was made at `wanted.path`
    };
    struct Process {
        UniqueFd control;
        EventLoop::Clock::time_point started;
        bool ready = false;
        bool retired = false;  // finishes what it serves; another one is in its place
    };

    bool open_one(const WantedListener& wanted, std::vector<std::string>& problems);
    void add_listener(const WantedListener& wanted, UniqueFd fd);
    void adopt_changed();
    bool adopt(Open& open, const WantedListener& wanted);
    void close_missing();
    void retry_pending();
    void tell_listener(const char* verb, const Open& listener);
    void tell_settings();
    void replace_processes();
    void retire_surplus();
    void retire(pid_t pid, Process& process);
    void start_process();
    void start_missing();
    void forgive();
    std::string start_key() const;
    bool is_one_at_a_time() const;
    std::size_t wanted_processes() const;
    std::size_t serving_processes() const;
    std::vector<std::string> command() const;
    void read_control(pid_t pid);
    void keep_worker(std::string_view line, std::vector<UniqueFd> fds);
    void end_kept_workers();
    void throttle(bool startup_failed);
    void watch_for_demand(bool wanted);
    void on_demand(int fd);

    MasterContext& context_;
    std::string name_;
    std::shared_ptr<const Settings> settings_;
    UniqueFd settings_fd_;
    std::string start_key_;  // of the processes that serve
    std::vector<WantedListener> wanted_;
    std::vector<std::string> restart_needs_;
    std::vector<Open> listeners_;
    std::vector<WantedListener> pending_;  // their directory does not exist yet
    EventLoop::TimerId pending_timer_ = 0, throttle_timer_ = 0;
    std::map<pid_t, Process> processes_;
    std::map<pid_t, KeptWorker> kept_workers_;  // of imap's dispatcher, for the next one
    std::chrono::milliseconds pause_{0};
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // expires with this object, for timers
    bool throttled_ = false, stopping_ = false, on_demand_ = false, started_ = false;
};

}  // namespace culver
