#include "master/master.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-service/worker-process.h"
#include "master/base-directory.h"
#include "master/notify.h"
#include "master/reload-check.h"
#include "master/version.h"

namespace culver {
namespace {

using std::chrono::milliseconds;
// The services that Culver has, in the order of their start; the listeners of all others stay closed.
constexpr const char* kServices[] = {"auth", "imap", "lmtp", "imap-login"};
constexpr std::string_view kLastService = "auth";
// Services finish what they are doing within 30 s by themselves.
constexpr milliseconds kStopPatience{32'000}, kKillPatience{36'000};
// After a crash the services of the last master may still hold the ports for a moment.
constexpr int kBusyTries = 30;
constexpr milliseconds kBusyPause{100};

std::string program_directory(const Settings& settings) {
    if (settings.is_set("libexec_dir")) return settings.string("libexec_dir");
    auto own = own_executable();
    if (!own) return settings.string("libexec_dir");
    const std::string directory = own->substr(0, own->rfind('/'));
    return directory.substr(0, directory.rfind('/')) + "/libexec/dovecot";
}

std::vector<std::string> protocols_of(const Settings& settings) {
    std::string words = settings.string("protocols");
    std::replace(words.begin(), words.end(), ',', ' ');
    std::vector<std::string> result;
    for (std::string_view word : split_words(words))
        if (word != "none") result.emplace_back(word);
    return result;
}

void log_findings(const std::vector<Diagnostic>& findings) {
    for (const Diagnostic& each : findings) {
        std::string text = format_diagnostic(each);
        if (!each.hint.empty()) text += " (" + each.hint + ")";
        each.severity == Severity::Error ? log_error(text) : log_warning(text);
    }
}

void configure_groups(const std::vector<std::unique_ptr<ServiceGroup>>& groups,
                      const std::shared_ptr<const Settings>& settings, std::vector<std::string>& problems) {
    for (const auto& group : groups)
        for (std::string& problem : group->take(settings)) problems.push_back(std::move(problem));
    for (const auto& group : groups)
        for (std::string& problem : group->apply()) problems.push_back(std::move(problem));
}

// Workers of a dispatcher that died become this process's children, and two descriptors of each are kept here.
void prepare_for_orphans() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    rlimit files;
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

Master::Master(LoadOptions options, std::shared_ptr<const Settings> settings, PidFile pid_file)
    : options_(std::move(options)), settings_(std::move(settings)), pid_file_(std::move(pid_file)) {}

Master::~Master() {
    set_log_sink(nullptr);
    groups_.clear();
    retired_.clear();
}

Status Master::start() {
    logs_ = std::make_unique<LogCollector>(loop_, TRY(LogWriter::open(LogTargets::from(*settings_))));
    logs_->take_own_lines();
    context_.reset(new MasterContext{loop_, *logs_, {}, program_directory(*settings_)});
    fill_environment();
    watch_signals();
    prepare_for_orphans();
    log_start();
    for (const std::string& name : wanted_services(*settings_))
        groups_.push_back(std::make_unique<ServiceGroup>(*context_, name));
    TRY(open_listeners());
    TRY(pid_file_.write_own_pid());
    start_groups();
    return {};
}

void Master::log_start() {
    const auto protocols = protocols_of(*settings_);
    log_info(fmt::format("Culver v{} starting up {}", kCulverVersion,
                         protocols.empty() ? "without any protocols" : "for " + join(protocols, ", ")));
    log_findings(check_settings(*settings_));
}

// What a service may see of the environment: import_environment, and where programs are found.
void Master::fill_environment() {
    context_->environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    std::vector<std::string> words = settings_->words("import_environment");
    words.insert(words.end(), {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"});
    for (const std::string& word : words) {
        if (word == "NOTIFY_SOCKET" || word.starts_with("LISTEN_")) continue;  // for this process alone
        if (word.find('=') != std::string::npos) context_->environment.push_back(word);
        else if (const char* value = ::getenv(word.c_str())) context_->environment.push_back(word + "=" + value);
    }
}

std::vector<std::string> Master::wanted_services(const Settings& settings) const {
    const auto protocols = protocols_of(settings);
    std::vector<std::string> names;
    for (const char* name : kServices) {
        const ServiceSettings* service = settings.find_service(name);
        if (!service) continue;
        const bool wanted =
            service->protocol.empty() || std::ranges::find(protocols, service->protocol) != protocols.end();
        if (wanted) names.emplace_back(name);
    }
    return names;
}

Status Master::open_listeners() {
    std::vector<std::string> problems;
    for (int attempt = 0; attempt < kBusyTries; ++attempt) {
        problems.clear();
        configure_groups(groups_, settings_, problems);
        const bool busy = std::ranges::any_of(problems, [](const std::string& text) {
            return text.find("in use") != std::string::npos || text.find("already listening") != std::string::npos;
        });
        if (!busy) break;
        std::this_thread::sleep_for(kBusyPause);
    }
    for (const std::string& problem : problems) log_error(problem);
    if (problems.empty()) return {};
    return fail(ErrorCode::InUse, "Failed to start listeners");
}

void Master::start_groups() {
    const bool serves_nobody = groups_.size() <= 1;  // auth alone: it starts when somebody asks
    for (auto& group : groups_)
        group->start(serves_nobody && group->name() == "auth" ? StartWhen::OnConnect : StartWhen::AtOnce);
}

void Master::watch_signals() {
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    ::sigemptyset(&set);
    for (int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD}) ::sigaddset(&set, number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    loop_.watch(signals_.get(), Interest::Read, [this](Ready) {
        signalfd_siginfo info;
        while (::read(signals_.get(), &info, sizeof info) == sizeof info)
            handle_signal(static_cast<int>(info.ssi_signo), static_cast<int>(info.ssi_pid),
                          static_cast<int>(info.ssi_uid));
    });
}

void Master::handle_signal(int number, int sender, int uid) {
    switch (number) {
        case SIGCHLD: return reap();
        case SIGHUP: log_warning("SIGHUP received - reloading configuration"); return reload();
        case SIGUSR1: logs_->reopen(); return;
        default: return stop(number, sender, uid);
    }
}

// Null: everything that is wrong with the configuration has been logged.
std::shared_ptr<const Settings> Master::load_for_reload(std::vector<std::string>& restart_needs) {
    LoadedSettings loaded = load_settings(options_);
    log_findings(loaded.diagnostics);
    if (!loaded.settings) return nullptr;
    std::shared_ptr<const Settings> fresh = loaded.settings;
    if (const std::string& base = settings_->string("base_dir"); fresh->string("base_dir") != base) {
        restart_needs.push_back("base_dir (it stays " + base + ")");
        if (auto changed = fresh->with_overrides({{"base_dir", base}})) fresh = std::move(*changed);
    }
    const auto findings = check_settings(*fresh);
    log_findings(findings);
    const auto problems = service_problems(*fresh, wanted_services(*fresh), program_directory(*fresh));
    for (const std::string& problem : problems) log_error(problem);
    return problems.empty() && !has_new_errors(findings, check_settings(*settings_)) ? fresh : nullptr;
}

void Master::reload() {
    if (stopping_) return;
    std::vector<std::string> restart_needs;
    auto fresh = load_for_reload(restart_needs);
    if (!fresh) return log_error("Reload: the configuration has errors, the old one stays in force");
    notify_service_manager("RELOADING=1");
    settings_ = std::move(fresh);
    apply_settings(restart_needs);
    if (!restart_needs.empty())
        log_warning("Reload: only a restart changes " + join(restart_needs, ", ") + "; everything else is in force");
    notify_service_manager("READY=1");
}

void Master::apply_settings(std::vector<std::string>& restart_needs) {
    if (auto writer = LogWriter::open(LogTargets::from(*settings_))) logs_->set_writer(std::move(*writer));
    else log_error(writer.error().detail + "; the old log stays in use");
    if (Status prepared = prepare_base_directory(*settings_); !prepared) log_error(prepared.error().detail);
    context_->program_directory = program_directory(*settings_);
    fill_environment();
    regroup();
    std::vector<std::string> problems;
    configure_groups(groups_, settings_, problems);
    for (const std::string& problem : problems) log_error(problem);
    for (const auto& group : groups_)
        for (std::string& need : group->take_restart_needs()) restart_needs.push_back(std::move(need));
    start_groups();
}

// Services that are no longer wanted end, new ones come.
void Master::regroup() {
    const auto names = wanted_services(*settings_);
    for (auto& group : groups_) {
        if (std::ranges::find(names, group->name()) != names.end()) continue;
        group->stop();
        retired_.push_back(std::move(group));
    }
    std::erase(groups_, nullptr);
    for (const std::string& name : names) {
        const bool exists = std::ranges::any_of(groups_, [&](const auto& group) { return group->name() == name; });
        if (!exists) groups_.push_back(std::make_unique<ServiceGroup>(*context_, name));
    }
}

void Master::stop(int number, int sender, int uid) {
    if (stopping_) return;
    log_warning(fmt::format("Killed with signal {} (by pid={} uid={} code={})", number, sender, uid,
                            sender ? "kill" : "kernel"));
    stopping_ = true;
    notify_service_manager("STOPPING=1");
    // auth ends last: sessions that are being finished may still ask it.
    for (auto& group : groups_) {
        if (group->name() != kLastService) group->stop();
        retired_.push_back(std::move(group));
    }
    groups_.clear();
    loop_.after(kStopPatience, [this] {
        for (auto& group : retired_) group->kill(SIGTERM);
    });
    loop_.after(kKillPatience, [this] {
        for (auto& group : retired_) {
            if (!group->is_empty()) log_warning(fmt::format("service({}): does not end, killing it", group->name()));
            group->kill(SIGKILL);
        }
    });
    finish_if_empty();
}

void Master::reap() {
    int status;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        bool known = false;
        for (auto* list : {&groups_, &retired_})
            for (auto& group : *list) known = known || group->on_exit(pid, status);
        if (!known && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
            log_error(fmt::format("child {}, left behind by a service that has ended, {}", pid, describe_exit(status)));
    }
    if (!stopping_) std::erase_if(retired_, [](const auto& group) { return group->is_empty(); });
    finish_if_empty();
}

void Master::finish_if_empty() {
    if (!stopping_) return;
    const bool only_last = std::ranges::all_of(
        retired_, [](const auto& group) { return group->is_empty() || group->name() == kLastService; });
    if (!only_last) return;
    bool is_empty = true;
    for (auto& group : retired_) {
        if (!group->is_empty()) group->stop();
        is_empty = is_empty && group->is_empty();
    }
    if (is_empty) loop_.stop();
}

int Master::run() {
    notify_service_manager("READY=1");
    loop_.run();
    logs_->drain();
    pid_file_.remove();
    return 0;
}

}  // namespace culver
