// Master: the process that reads the configuration, opens the listeners and keeps the services alive.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"
#include "lib-config/load.h"
#include "lib-net/event-loop.h"
#include "master/log-collector.h"
#include "master/pid-file.h"
#include "master/service-group.h"

namespace culver {

class Master {
public:
    Master(LoadOptions options, std::shared_ptr<const Settings> settings, PidFile pid_file);
    ~Master();

    // Opens log, listeners and services. Errors have been logged; the detail of the result is the summary.
    Status start();
    // Until a signal ends it; returns the exit code.
    int run();

private:
    void start_groups();
    std::vector<std::string> wanted_services(const Settings& settings) const;
    Status open_listeners();
    void log_start();
    void watch_signals();
    void handle_signal(int number, int sender, int uid);
    void reload();
    std::shared_ptr<const Settings> load_for_reload(std::vector<std::string>& restart_needs);
    void regroup();
    void apply_settings(std::vector<std::string>& restart_needs);
    void stop(int number, int sender, int uid);
    void reap();
    void finish_if_empty();
    void fill_environment();

    LoadOptions options_;
    std::shared_ptr<const Settings> settings_;
    PidFile pid_file_;
    EventLoop loop_;
    std::unique_ptr<LogCollector> logs_;
    std::unique_ptr<MasterContext> context_;
    std::vector<std::unique_ptr<ServiceGroup>> groups_, retired_;
    UniqueFd signals_;
    bool stopping_ = false;
};

}  // namespace culver
