#include "master/log-collector.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "lib-net/socket.h"
#include "lib-service/inheritance.h"

namespace culver {
namespace {
constexpr std::size_t kRecordLimit = 16384;
constexpr int kRecordsPerTurn = 200;  // then other sources and the children's deaths have their turn
}  // namespace

LogCollector::LogCollector(EventLoop& loop, std::unique_ptr<LogWriter> writer)
    : loop_(loop), writer_(std::move(writer)) {}

void LogCollector::take_own_lines() {
    set_log_prefix("master: ");
    set_log_sink([this](LogLevel level, std::string_view line) { writer_->write(level, line); });
}

Result<UniqueFd> LogCollector::log_socket() {
    auto [ours, theirs] = TRY(socket_pair(SOCK_SEQPACKET, Blocking::No));
    TRY(set_blocking(theirs.get(), Blocking::Yes));
    const int room = 1 << 20;
    ::setsockopt(theirs.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    ::shutdown(ours.get(), SHUT_WR);
    add(std::move(ours), {});
    return std::move(theirs);
}

Result<UniqueFd> LogCollector::error_pipe(const std::string& service) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return fail_errno("pipe");
    UniqueFd ours(fds[0]), theirs(fds[1]);
    TRY(set_blocking(ours.get(), Blocking::No));
    add(std::move(ours), service);
    return theirs;
}

void LogCollector::add(UniqueFd fd, std::string service) {
    const int number = fd.get();
    const bool is_pipe = !service.empty();
    sources_[number] = Source{std::move(fd), std::move(service), {}};
    loop_.watch(number, Interest::Read,
                [this, number, is_pipe](Ready) { is_pipe ? read_error_pipe(number) : read_log_socket(number); });
}

void LogCollector::remove(int fd) {
    loop_.unwatch(fd);
    sources_.erase(fd);
}

void LogCollector::read_log_socket(int fd) {
    char record[kRecordLimit];
    for (int i = 0; i < kRecordsPerTurn; ++i) {
        ssize_t n = ::recv(fd, record, sizeof record, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) return remove(fd);
        // A service is less trusted than the master: its bytes are cleaned once more.
        for (ssize_t j = 1; j < n; ++j)
            if (static_cast<unsigned char>(record[j]) < 0x20) record[j] = '?';
        writer_->write(log_level_from_byte(record[0]), std::string_view(record + 1, static_cast<std::size_t>(n) - 1));
    }
}

void LogCollector::read_error_pipe(int fd) {
    Source& source = sources_[fd];
    char bytes[4096];
    ssize_t n = ::read(fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    for (ssize_t i = 0; i < n; ++i) {
        if (bytes[i] != '\n' && source.partial.size() < kRecordLimit / 2) {
            source.partial += static_cast<unsigned char>(bytes[i]) < 0x20 ? '?' : bytes[i];
            continue;
        }
        if (!source.partial.empty()) writer_->write(LogLevel::Error, source.service + ": " + source.partial);
        source.partial.clear();
    }
    if (n <= 0) {
        if (!source.partial.empty()) writer_->write(LogLevel::Error, source.service + ": " + source.partial);
        remove(fd);
    }
}

void LogCollector::drain() {
    std::vector<std::pair<int, bool>> all;
    for (const auto& [fd, source] : sources_) all.emplace_back(fd, !source.service.empty());
    for (auto [fd, is_pipe] : all) is_pipe ? read_error_pipe(fd) : read_log_socket(fd);
}

}  // namespace culver
