// ServiceGroup: one service, that is its listeners and the processes that serve them.
//
// A process that dies is started again: at once after a long life, with a growing pause after a short one. A start that
// never became ready is tried again only when somebody connects; until the pause is over, connections to its UNIX
// sockets are closed at once, so that peers hear of it (Postfix answers 4xx, login says "Auth process broken").
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-config/settings.h"
#include "lib-net/event-loop.h"
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

    // Takes over new settings: opens and closes listeners, tells the processes. One line per problem; a listener whose
    // directory does not exist yet is tried again by itself and is no problem.
    std::vector<std::string> configure(std::shared_ptr<const Settings> settings);
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
    };
    struct Process {
        UniqueFd control;
        EventLoop::Clock::time_point started;
        bool ready = false;
    };

    bool open_one(const WantedListener& wanted, std::vector<std::string>& problems);
    void adopt_changed(const std::vector<WantedListener>& wanted);
    void close_missing(const std::vector<WantedListener>& wanted);
    void retry_pending();
    void tell_listener(const char* verb, const Open& listener);
    void tell_settings();
    void start_process();
    void start_missing();
    std::size_t wanted_processes() const;
    std::vector<std::string> command() const;
    void read_control(pid_t pid);
    void throttle(bool startup_failed);
    void watch_for_demand(bool wanted);
    void on_demand(int fd);

    MasterContext& context_;
    std::string name_;
    std::shared_ptr<const Settings> settings_;
    UniqueFd settings_fd_;
    std::vector<Open> listeners_;
    std::vector<WantedListener> pending_;  // their directory does not exist yet
    EventLoop::TimerId pending_timer_ = 0, throttle_timer_ = 0;
    std::map<pid_t, Process> processes_;
    std::chrono::milliseconds pause_{0};
    bool throttled_ = false, stopping_ = false, on_demand_ = false, started_ = false;
};

}  // namespace culver
