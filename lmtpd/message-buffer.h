// MessageBuffer: a message while it comes in: in memory as long as it is small, then in an unlinked file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib-base/result.h"
#include "lib-base/unique-fd.h"

namespace culver {

class MessageBuffer {
public:
    // `limit`: bytes to keep in memory. `directory`: mail_temp_dir.
    MessageBuffer(std::size_t limit, std::string directory) : limit_(limit), directory_(std::move(directory)) {}

    // Keeps its first error (a full disk); later bytes are dropped.
    void append(std::string_view bytes);
    // All bytes are in memory() or all in file() afterwards. The first error, if there was one.
    Status finish();
    // As finish(), but into the file whatever the size: what goes to many recipients is not copied for each.
    Status finish_in_file();

    bool is_in_file() const { return static_cast<bool>(file_); }
    const std::string& memory() const { return memory_; }
    int file() const { return file_.get(); }

private:
    Status flush();

    std::size_t limit_;
    std::string directory_, memory_;
    UniqueFd file_;
    Status status_;
};

}  // namespace culver
