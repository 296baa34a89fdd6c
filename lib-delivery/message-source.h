// MessageSource: the bytes of a message on their way into a mailbox, in pieces, so that no process holds a large one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"

namespace culver {

class MessageSource {
public:
    virtual ~MessageSource() = default;
    // The next piece, valid until the next call; empty at the end. The first piece is as large as can be had, so that
    // most headers lie in it.
    virtual Result<std::string_view> read() = 0;
};

// Bytes that the caller keeps.
class MemorySource final : public MessageSource {
public:
    explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
    Result<std::string_view> read() override { return std::exchange(bytes_, {}); }

private:
    std::string_view bytes_;
};

// A file from its beginning, whatever its position is (several processes may share the descriptor).
class FileSource final : public MessageSource {
public:
    explicit FileSource(int fd) : fd_(fd) {}
    Result<std::string_view> read() override;

private:
    int fd_;
    std::uint64_t offset_ = 0;
    std::vector<char> buffer_;
};

// A pipe or file that is read once, from where it stands. A first line "From sender date" of an mbox is taken away;
// mbox_sender() has the sender it named, once the first piece was read.
class StreamSource final : public MessageSource {
public:
    explicit StreamSource(int fd) : fd_(fd) {}
    Result<std::string_view> read() override;
    const std::string& mbox_sender() const { return mbox_sender_; }

private:
    Result<std::size_t> fill();

    int fd_;
    bool started_ = false;
    std::string mbox_sender_;
    std::vector<char> buffer_;
};

}  // namespace culver
