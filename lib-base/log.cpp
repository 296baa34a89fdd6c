#include "lib-base/log.h"

#include <unistd.h>

#include <atomic>
#include <mutex>

namespace culver {
namespace {

constexpr std::size_t kLineLimit = 8192;

std::mutex sink_mutex;  // guards sink and process_prefix
LogSink sink;
std::string process_prefix;
std::atomic<bool> debug_enabled{false};
thread_local std::string thread_prefix;

void write_to_stderr(LogLevel level, std::string_view line) {
    std::string out(line);
    out.insert(0, std::string(log_level_name(level)) + ": ");
    out += '\n';
    [[maybe_unused]] auto n = ::write(2, out.data(), out.size());
}

void append_clean(std::string& out, std::string_view text) {
    for (char c : text) {
        if (out.size() >= kLineLimit) {
            out += "...";
            return;
        }
        auto byte = static_cast<unsigned char>(c);
        out += (byte < 0x20 || byte == 0x7f) ? '?' : c;
    }
}

}  // namespace

std::string_view log_level_name(LogLevel level) {
    switch (level) {
        case LogLevel::Debug: return "Debug";
        case LogLevel::Info: return "Info";
        case LogLevel::Warning: return "Warning";
        case LogLevel::Error: return "Error";
        case LogLevel::Fatal: return "Fatal";
        case LogLevel::Panic: return "Panic";
    }
    return "Error";
}

void set_log_sink(LogSink new_sink) {
    std::lock_guard lock(sink_mutex);
    sink = std::move(new_sink);
}

void set_log_prefix(std::string prefix) {
    std::lock_guard lock(sink_mutex);
    process_prefix = std::move(prefix);
}

void set_log_debug(bool enabled) { debug_enabled = enabled; }
bool log_debug_enabled() { return debug_enabled; }

LogPrefix::LogPrefix(std::string prefix) : saved_(std::move(thread_prefix)) { thread_prefix = std::move(prefix); }
LogPrefix::~LogPrefix() { thread_prefix = std::move(saved_); }

void log_line(LogLevel level, std::string_view text) {
    std::string line;
    std::lock_guard lock(sink_mutex);
    append_clean(line, thread_prefix.empty() ? process_prefix : thread_prefix);
    append_clean(line, text);
    if (sink) sink(level, line);
    else write_to_stderr(level, line);
}

}  // namespace culver
