#include "doveadm/user-process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "doveadm/command.h"
#include "lib-base/file.h"
#include "lib-base/unique-fd.h"

namespace culver::doveadm {

namespace {

// A row on the pipe: its length in bytes, then for each value its length and its bytes. Numbers are 32 bits, host
// order.
constexpr std::uint32_t kRowLimit = 64 << 20;

void append_number(std::string& out, std::size_t number) {
    const auto value = static_cast<std::uint32_t>(number);
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

class PipeFormatter final : public Formatter {
public:
    explicit PipeFormatter(int fd) : fd_(fd) {}

private:
    void print_row(const std::vector<std::string>& values) override {
        std::string row;
        for (const std::string& value : values) {
            append_number(row, value.size());
            row += value;
        }
        std::string message;
        append_number(message, row.size());
        // The parent is gone if this fails: nobody is left to print for.
        if (!write_all(fd_, message + row, "parent")) ::_exit(kExitTemporary);
    }
    int fd_;
};

// False at the end of the stream.
bool read_exactly(int fd, char* data, std::size_t size) {
    while (size > 0) {
        const ssize_t n = ::read(fd, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        data += n;
        size -= static_cast<std::size_t>(n);
    }
    return true;
}

// The next row; nothing at the end or when the child, which is another user, sends what is no row.
std::optional<std::vector<std::string>> read_row(int fd, std::size_t columns) {
    std::uint32_t size = 0;
    if (!read_exactly(fd, reinterpret_cast<char*>(&size), sizeof size) || size > kRowLimit) return std::nullopt;
    std::string row(size, '\0');
    if (!read_exactly(fd, row.data(), row.size())) return std::nullopt;
    std::vector<std::string> values;
    for (std::size_t at = 0; at < row.size();) {
        std::uint32_t length = 0;
        if (row.size() - at < sizeof length) return std::nullopt;
        std::memcpy(&length, row.data() + at, sizeof length);
        at += sizeof length;
        if (row.size() - at < length) return std::nullopt;
        values.push_back(row.substr(at, length));
        at += length;
    }
    if (values.size() != columns) return std::nullopt;
    return values;
}

}  // namespace

int run_in_child(Invocation& call, const std::function<int(Invocation&)>& work) {
    int ends[2];
    std::fflush(stdout);
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        call.error(fmt::format("pipe() failed: {}", std::strerror(errno)));
        return kExitTemporary;
    }
    UniqueFd reader(ends[0]), writer(ends[1]);
    const std::vector<Column> columns = call.out().own_columns();
    const pid_t pid = ::fork();
    if (pid < 0) {
        call.error(fmt::format("fork() failed: {}", std::strerror(errno)));
        return kExitTemporary;
    }
    if (pid == 0) {
        reader.reset();
        auto formatter = std::make_unique<PipeFormatter>(writer.get());
        formatter->columns(columns);
        call.set_formatter(std::move(formatter));
        const int code = work(call);
        ::_exit(code);
    }
    writer.reset();
    while (auto row = read_row(reader.get(), columns.size())) call.out().row(std::move(*row));
    reader.reset();
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    call.error(fmt::format("The process for this user was ended by signal {}", WTERMSIG(status)));
    return kExitTemporary;
}

}  // namespace culver::doveadm
