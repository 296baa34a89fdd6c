#include "lib-service/log-sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <syslog.h>

#include <cerrno>

#include "lib-base/file.h"
#include "lib-net/unix-address.h"

namespace culver {
namespace {

int facility_number(std::string_view name) {
    static constexpr std::pair<std::string_view, int> kFacilities[] = {
        {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},     {"daemon", LOG_DAEMON},
        {"ftp", LOG_FTP},       {"kern", LOG_KERN},         {"lpr", LOG_LPR},       {"mail", LOG_MAIL},
        {"news", LOG_NEWS},     {"syslog", LOG_SYSLOG},     {"user", LOG_USER},     {"uucp", LOG_UUCP},
        {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},     {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
        {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},     {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
    };
    for (auto [word, number] : kFacilities)
        if (word == name) return number;
    return LOG_MAIL;
}

int priority(LogLevel level) {
    switch (level) {
        case LogLevel::Debug: return LOG_DEBUG;
        case LogLevel::Info: return LOG_INFO;
        case LogLevel::Warning: return LOG_WARNING;
        case LogLevel::Error: return LOG_ERR;
        case LogLevel::Fatal:
        case LogLevel::Panic: return LOG_CRIT;
    }
    return LOG_ERR;
}

std::string time_text(const char* format) {
    const std::time_t now = std::time(nullptr);
    std::tm local;
    ::localtime_r(&now, &local);
    char buffer[256];
    return std::string(buffer, std::strftime(buffer, sizeof buffer, format, &local));
}

// One of syslog, standard error or a file.
struct Destination {
    std::string path;
    UniqueFd fd;
    bool is_syslog() const { return path == "syslog"; }

    Status open() {
        if (is_syslog()) return {};
        if (path == "/dev/stderr" || path == "/dev/stdout") {
            fd.reset(::fcntl(path == "/dev/stderr" ? 2 : 1, F_DUPFD_CLOEXEC, 3));
            return fd ? Status{} : fail_errno("dup(" + path + ")");
        }
        UniqueFd fresh(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600));
        if (!fresh) return fail_errno("Can't open log file " + path + ": open");
        fd = std::move(fresh);
        return {};
    }
};

}  // namespace

LogTargets LogTargets::from(const Settings& settings) {
    LogTargets targets;
    targets.log_path = settings.string("log_path");
    targets.info_log_path = settings.string("info_log_path");
    targets.debug_log_path = settings.string("debug_log_path");
    targets.timestamp = settings.string("log_timestamp");
    targets.facility = settings.string("syslog_facility");
    const std::string& instance = settings.string("instance_name");
    if (!instance.empty()) targets.syslog_tag = instance;
    return targets;
}

std::string line_with_level(LogLevel level, std::string_view line) {
    const auto end = line.find(": ");
    const std::string_view prefix = end == std::string_view::npos ? std::string_view() : line.substr(0, end + 2);
    return fmt::format("{}{}: {}", prefix, log_level_name(level), line.substr(prefix.size()));
}

struct LogWriter::Impl {
    LogTargets targets;
    Destination errors, infos, debugs;
    UniqueFd syslog;
    std::time_t stamp_time = 0;
    std::string stamp;

    Destination& destination(LogLevel level) {
        return level == LogLevel::Debug ? debugs : level == LogLevel::Info ? infos : errors;
    }
    bool send_syslog(const std::string& record);
    void write_syslog(LogLevel level, std::string_view line);
    void write_file(Destination& destination, LogLevel level, std::string_view line);
};

LogWriter::LogWriter() : impl_(std::make_unique<Impl>()) {}
LogWriter::~LogWriter() = default;

Result<std::unique_ptr<LogWriter>> LogWriter::open(const LogTargets& targets) {
    std::unique_ptr<LogWriter> writer(new LogWriter);
    Impl& impl = *writer->impl_;
    impl.targets = targets;
    impl.errors.path = targets.log_path.empty() ? "syslog" : targets.log_path;
    impl.infos.path = targets.info_log_path.empty() ? impl.errors.path : targets.info_log_path;
    impl.debugs.path = targets.debug_log_path.empty() ? impl.infos.path : targets.debug_log_path;
    for (Destination* each : {&impl.errors, &impl.infos, &impl.debugs}) TRY(each->open());
    return writer;
}

void LogWriter::reopen() {
    for (Destination* each : {&impl_->errors, &impl_->infos, &impl_->debugs}) {
        if (Status status = each->open(); !status) write(LogLevel::Error, "master: " + status.error().detail);
    }
    impl_->syslog.reset();
}

void LogWriter::write(LogLevel level, std::string_view line) {
    Destination& destination = impl_->destination(level);
    if (destination.is_syslog()) impl_->write_syslog(level, line);
    else impl_->write_file(destination, level, line);
}

bool LogWriter::Impl::send_syslog(const std::string& record) {
    if (!syslog) {
        auto address = UnixAddress::of(targets.syslog_socket);
        UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        if (!address || !fd || ::connect(fd.get(), address->get(), address->length()) != 0) return false;
        syslog = std::move(fd);
    }
    ssize_t n;
    do n = ::send(syslog.get(), record.data(), record.size(), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0) syslog.reset();
    return n >= 0;
}

void LogWriter::Impl::write_syslog(LogLevel level, std::string_view line) {
    const std::string record =
        fmt::format("<{}>{}{}: {}", facility_number(targets.facility) | priority(level), time_text("%b %e %H:%M:%S "),
                    targets.syslog_tag, level == LogLevel::Info ? std::string(line) : line_with_level(level, line));
    // A syslog daemon that was restarted has a new socket: the second try connects to it. Without any syslog daemon the
    // line goes to standard error (which is /dev/null for a daemon).
    if (send_syslog(record) || send_syslog(record)) return;
    std::string text = line_with_level(level, line) + "\n";
    [[maybe_unused]] ssize_t n = ::write(2, text.data(), text.size());
}

void LogWriter::Impl::write_file(Destination& destination, LogLevel level, std::string_view line) {
    const std::time_t now = std::time(nullptr);
    if (now != stamp_time) {
        stamp = time_text(targets.timestamp.c_str());
        stamp_time = now;
    }
    // One write per line: lines of several processes in one file do not mix.
    [[maybe_unused]] Status status =
        write_all(destination.fd.get(), fmt::format("{}{}\n", stamp, line_with_level(level, line)), destination.path);
}

void log_to_configured_targets(const Settings& settings) {
    auto writer = LogWriter::open(LogTargets::from(settings));
    if (!writer) {
        log_error(writer.error().detail + "; log lines go to standard error");
        return;
    }
    set_log_sink([shared = std::shared_ptr<LogWriter>(std::move(*writer))](LogLevel level, std::string_view line) {
        shared->write(level, line);
    });
}

}  // namespace culver
