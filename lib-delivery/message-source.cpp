#include "lib-delivery/message-source.h"

#include <cerrno>

namespace culver {
namespace {
constexpr std::size_t kPiece = 64 << 10;
}

Result<std::string_view> FileSource::read() {
    buffer_.resize(kPiece);
    for (;;) {
        ssize_t n = ::pread(fd_, buffer_.data(), buffer_.size(), static_cast<off_t>(offset_));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("pread(message)");
        offset_ += static_cast<std::uint64_t>(n);
        return std::string_view(buffer_.data(), static_cast<std::size_t>(n));
    }
}

// Fills the buffer as far as the input goes: a pipe gives a few kilobytes at a time.
Result<std::size_t> StreamSource::fill() {
    buffer_.resize(kPiece);
    std::size_t size = 0;
    while (size < buffer_.size()) {
        ssize_t n = ::read(fd_, buffer_.data() + size, buffer_.size() - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("read(message)");
        if (n == 0) break;
        size += static_cast<std::size_t>(n);
    }
    return size;
}

Result<std::string_view> StreamSource::read() {
    const std::size_t size = TRY(fill());
    const std::string_view piece(buffer_.data(), size);
    if (std::exchange(started_, true) || !piece.starts_with("From ")) return piece;
    const auto newline = piece.find('\n');
    if (newline == std::string_view::npos) return piece;
    std::string_view line = piece.substr(5, newline - 5);
    mbox_sender_ = line.substr(0, line.find(' '));
    if (newline + 1 == piece.size()) return read();  // nothing but that line: an empty piece would mean the end
    return piece.substr(newline + 1);
}

}  // namespace culver
